import { assert, present } from '@clawbernetes/kernel';
import { check, refuse, type OrderBody } from '@clawbernetes/orders';
import { BOUNDED_RULES, REFERENCE_RULES, ROOM_RULES } from '../machine/rules.ts';
import { allOf } from './authorization.ts';
import type { Step } from './books.ts';
import { feeOf, tierOf } from './fees.ts';
import { scopeOf } from './nonce-memory.ts';
import { REMEMBERED_MS, type OrderContext, type OrderPlan } from './order-context.ts';
import type { OrderState } from './order-state.ts';
import type { Withdrawal } from './records.ts';

/** Normal withdrawals are sent together, at whole multiples of this. */
export const BATCH_MS = 3_600_000;

/** Of one owner at once: each is sent by somebody, at a cost, however little it is. */
const MAX_OUTBOUND = 100;

/** Takes the amount out of what the owner can spend; his tokens are on their way until that is reported. */
export function requestWithdrawal(
  context: OrderContext,
  { withdrawal: id, amount, to, speed }: OrderBody<'withdraw'>,
  owner: string,
): OrderPlan {
  return {
    scope: scopeOf('withdrawal', id),
    quorums: [allOf(owner)],
    run: () => {
      const { state, timeMs } = context;
      check(!state.withdrawals.has(id), 'id-used');
      context.checkOwnNewId(id, [owner]);
      context.checkNotForgotten(id, 'withdrawalsMs');
      check(to !== owner, 'address-own');
      checkWithdrawalRoom(context, owner, amount);
      const isMany = context.isUnder(BOUNDED_RULES) && state.outbound(owner) >= MAX_OUTBOUND;
      check(!isMany, 'too-many-withdrawals');
      const tier = tierOf(state.stakes.get(owner)?.staked ?? 0n);
      const fee = speed === 'instant' ? feeOf(amount, tier.instantFee) : 0n;
      assert(fee < amount, 'a fee leaves something');
      context.book(id, [
        {
          do: 'move',
          from: { kind: 'available', owner },
          to: { kind: 'outbound' },
          amount,
          kind: 'withdrawal-request',
        },
      ]);
      const nextBatchMs = (Math.floor(timeMs / BATCH_MS) + 1) * BATCH_MS;
      const sendAtMs = speed === 'instant' ? timeMs : nextBatchMs;
      const facts = { id, owner, amount, fee, to, speed, requestedAtMs: timeMs, sendAtMs };
      state.keepWithdrawal({ ...facts, state: 'requested' });
    },
  };
}

/**
 * Those that have ended make room for each other. Of an owner's on their way one may be of any size, so that
 * all he has can leave; the others come to `minEscrow`, so that whoever fills the table takes as much out.
 */
function checkWithdrawalRoom(context: OrderContext, owner: string, amount: bigint): void {
  const { state, settings } = context;
  if (!context.isUnder(ROOM_RULES)) {
    context.checkRoom(state.withdrawals.size);
    return;
  }
  context.checkRoom(state.liveWithdrawals);
  const isEnough = amount >= (settings.minEscrow ?? 0n) || state.outbound(owner) === 0;
  check(isEnough, 'amount-too-small');
}

/** What became of it outside. A withdrawal that failed comes back whole. */
export function reportWithdrawal(context: OrderContext, body: OrderBody<'withdrawal-report'>): OrderPlan {
  const { state, timeMs, settings } = context;
  const withdrawal = state.withdrawals.get(body.withdrawal) ?? refuse('withdrawal-not-found');
  return {
    scope: scopeOf('withdrawal', withdrawal.id),
    quorums: [settings.operators],
    run: () => {
      const { status } = body;
      const isOpen =
        withdrawal.state === 'sent' || (withdrawal.state === 'requested' && status !== 'confirmed');
      check(isOpen && withdrawal.state !== status, 'withdrawal-wrong-state');
      context.book(withdrawal.id, reportSteps(withdrawal, status));
      const reference = body.reference ?? withdrawal.reference;
      const after: Withdrawal = {
        ...withdrawal,
        ...(reference !== undefined && { reference }),
        state: status === 'failed' ? 'returned' : status,
        ...(status !== 'sent' && { endedAtMs: timeMs }),
      };
      state.keepWithdrawal(after);
      if (status === 'sent') return;
      state.schedule('withdrawal', withdrawal.id, timeMs + REMEMBERED_MS);
      const first = context.firstTooMany(state.over.withdrawal);
      if (first === undefined) return;
      context.noteForgotten('withdrawalsMs', first);
      forgetWithdrawal(state, first);
    },
  };
}

/** Those to send now, in the order of their ids. */
export function dueWithdrawals(state: OrderState, timeMs: number): readonly Withdrawal[] {
  return [...state.withdrawals.values()]
    .filter((withdrawal) => withdrawal.state === 'requested' && withdrawal.sendAtMs <= timeMs)
    .toSorted((left, right) => (left.id < right.id ? -1 : 1));
}

/** Tokens came in, by the word of the operators. */
export function bookDeposit(context: OrderContext, body: OrderBody<'deposit'>): OrderPlan {
  const { deposit: id, owner, amount, reference } = body;
  const { state, timeMs } = context;
  return {
    scope: scopeOf('deposit', id),
    quorums: [context.settings.operators],
    run: () => {
      check(!state.deposits.has(id), 'id-used');
      // Only operators use such ids.
      context.checkNewId(id);
      const isNew = !context.isUnder(REFERENCE_RULES) || !state.isBooked(reference);
      check(isNew, 'reference-used');
      context.checkRoom(state.deposits.size);
      const to = { kind: 'available', owner } as const;
      context.book(id, [{ do: 'move', from: { kind: 'external' }, to, amount, kind: 'deposit' }]);
      state.keepDeposit({ id, owner, amount, reference, atMs: timeMs });
      state.schedule('deposit', id, timeMs + REMEMBERED_MS);
    },
  };
}

/** It ended a while ago. */
export function forgetWithdrawal(state: OrderState, id: string): void {
  const withdrawal = present(state.withdrawals.get(id), 'a withdrawal that is forgotten');
  assert(withdrawal.endedAtMs !== undefined, 'only what has ended is forgotten');
  state.unschedule('withdrawal', id);
  state.withdrawals.delete(id);
  state.nonces.forget(scopeOf('withdrawal', id));
}

function reportSteps(
  { amount, fee, owner }: Withdrawal,
  status: 'sent' | 'confirmed' | 'failed',
): readonly Step[] {
  const from = { kind: 'outbound' } as const;
  if (status === 'sent') return [];
  if (status === 'failed')
    return [{ do: 'move', from, to: { kind: 'available', owner }, amount, kind: 'withdrawal-returned' }];
  return [
    { do: 'move', from, to: { kind: 'external' }, amount: amount - fee, kind: 'withdrawal-paid' },
    { do: 'move', from, to: { kind: 'treasury' }, amount: fee, kind: 'withdrawal-fee' },
  ];
}
