import { present } from '@clawbernetes/kernel';
import { check, refuse, type OrderBody } from '@clawbernetes/orders';
import { BOUNDED_RULES, ROOM_RULES } from '../machine/rules.ts';
import { allOf } from './authorization.ts';
import type { Step } from './books.ts';
import { addClaim, checkClaimRoom, feeStep, jobFee, scheduleForgetting } from './earnings.ts';
import { checkEscrowRoom, checkRest } from './escrow-room.ts';
import { checkTerms, DEFAULT_TIMEOUT_MS, refundQuorums, releaseQuorum } from './escrow-terms.ts';
import { scopeOf } from './nonce-memory.ts';
import type { OrderContext, OrderPlan } from './order-context.ts';
import type { OrderState } from './order-state.ts';
import type { Escrow } from './records.ts';

/** An escrow that is not funded by then expires. */
export const FUNDING_MS = 3_600_000;
/** Escrows of one buyer that wait for their funds, or waited in vain and are remembered. */
const MAX_UNFUNDED = 100;

export function findEscrow(state: OrderState, id: string): Escrow {
  return state.escrows.get(id) ?? refuse('escrow-not-found');
}

export function createEscrow(context: OrderContext, body: OrderBody<'escrow-create'>): OrderPlan {
  const { escrow: id, buyer, provider, slashable } = body;
  const quorum = slashable > 0n ? allOf(buyer, provider) : { ...allOf(buyer), optional: [provider] };
  return {
    scope: scopeOf('escrow', id),
    quorums: [quorum],
    run: (signers) => {
      const { state, settings, timeMs } = context;
      check(!state.escrows.has(id), 'id-used');
      context.checkOwnNewId(id, signers);
      context.checkNotForgotten(id, 'escrowsMs');
      checkTerms(body, timeMs);
      check(body.amount >= (settings.minEscrow ?? 0n), 'amount-too-small');
      checkEscrowRoom(context);
      check(state.unfunded(buyer) + inVain(context, buyer) < MAX_UNFUNDED, 'ledger-full');
      const funds = context.books.balance({ kind: 'available', owner: buyer });
      check(funds >= body.amount, 'insufficient-funds');
      const escrow = newEscrow(body, timeMs, signers.has(provider));
      state.keepEscrow(escrow);
      state.schedule('escrow', id, Math.min(timeMs + FUNDING_MS, escrow.deadlineMs));
      if (context.isUnder(ROOM_RULES)) expireFirst(context);
    },
  };
}

export function fundEscrow(context: OrderContext, { escrow: id }: OrderBody<'escrow-fund'>): OrderPlan {
  const { state, timeMs, settings } = context;
  const escrow = findEscrow(state, id);
  const { buyer, provider, amount, deadlineMs } = escrow;
  return {
    scope: scopeOf('escrow', id),
    quorums: [allOf(buyer)],
    run: () => {
      check(escrow.state === 'created', 'escrow-wrong-state');
      check(timeMs < deadlineMs, 'escrow-over');
      const staked = state.stakes.get(provider)?.staked ?? 0n;
      check(staked >= settings.providerStake, 'provider-without-stake');
      if (context.isUnder(ROOM_RULES)) checkEscrowRoom(context);
      const pendingId = context.book(id, [
        {
          do: 'move',
          from: { kind: 'available', owner: buyer },
          to: { kind: 'locked', owner: buyer },
          amount,
          kind: 'escrow-fund',
        },
        reserveStep(escrow, amount),
      ]);
      state.keepEscrow({ ...escrow, state: 'funded', funded: amount, remaining: amount, pendingId });
      state.schedule('escrow', id, deadlineMs);
    },
  };
}

export function completeEscrow(context: OrderContext, body: OrderBody<'escrow-complete'>): OrderPlan {
  const { state, timeMs } = context;
  const escrow = findEscrow(state, body.escrow);
  return {
    scope: scopeOf('escrow', escrow.id),
    quorums: [allOf(escrow.provider)],
    run: () => {
      checkSettleable(escrow);
      check(escrow.state === 'funded', 'escrow-wrong-state');
      check(timeMs < escrow.deadlineMs, 'escrow-over');
      const { resultHash } = body;
      const done = { ...escrow, state: 'completed', accepted: true } as const;
      state.keepEscrow(resultHash === undefined ? done : { ...done, resultHash });
    },
  };
}

export function releaseEscrow(context: OrderContext, body: OrderBody<'escrow-release'>): OrderPlan {
  const escrow = findEscrow(context.state, body.escrow);
  return {
    scope: scopeOf('escrow', escrow.id),
    quorums: [releaseQuorum(escrow)],
    run: () => {
      checkSettleable(escrow);
      check(context.timeMs < escrow.deadlineMs, 'escrow-over');
      const amount = body.amount ?? escrow.remaining;
      check(amount <= escrow.remaining, 'amount-exceeds-escrow');
      if (context.isUnder(ROOM_RULES)) checkRest(context, escrow.remaining - amount);
      pay(context, escrow, amount);
    },
  };
}

export function refundEscrow(context: OrderContext, body: OrderBody<'escrow-refund'>): OrderPlan {
  const escrow = findEscrow(context.state, body.escrow);
  return {
    scope: scopeOf('escrow', escrow.id),
    quorums: refundQuorums(escrow),
    run: () => {
      checkSettleable(escrow);
      refund(context, escrow);
    },
  };
}

/** The time of an escrow that is in no dispute has come. */
export function endEscrow(context: OrderContext, id: string): void {
  const escrow = present(context.state.escrows.get(id), 'an escrow whose time comes');
  if (escrow.state === 'created') expire(context, escrow);
  else if (escrow.onDeadline === 'release') pay(context, escrow, escrow.remaining);
  else refund(context, escrow);
}

function expire(context: OrderContext, escrow: Escrow): void {
  const expired: Escrow = { ...escrow, state: 'expired', endedAtMs: context.timeMs };
  context.state.keepEscrow(expired);
  scheduleForgetting(context, expired);
}

/** Too many wait for their funds: the one that waits longest has waited in vain. */
function expireFirst(context: OrderContext): void {
  const { state, settings } = context;
  if (state.waiting.size <= settings.maxOpen) return;
  const first = present(state.escrows.get(state.waiting.takeFirst() ?? ''), 'an escrow that waits');
  state.unschedule('escrow', first.id);
  expire(context, first);
}

/** Posts a part of what is locked to the provider's held balance; what is left is locked as before. */
export function pay(
  context: OrderContext,
  escrow: Escrow,
  gross: bigint,
  before: readonly Step[] = [],
): Escrow {
  checkClaimRoom(context, escrow, gross);
  const { state, timeMs } = context;
  const { id, pendingId, provider } = escrow;
  const remaining = escrow.remaining - gross;
  const fee = jobFee(state, provider, gross);
  const reserved = context.book(id, [
    ...before,
    { do: 'post', pendingId, amount: gross, kind: 'escrow-release' },
    feeStep(provider, fee),
    reserveStep(escrow, remaining),
  ]);
  const paid = { ...escrow, paid: escrow.paid + gross, remaining, pendingId: reserved };
  const isOver = remaining === 0n;
  const settled: Escrow = addClaim(
    context,
    isOver ? { ...paid, state: 'released', endedAtMs: timeMs } : paid,
    { gross, fee },
  );
  state.keepEscrow(settled);
  if (isOver) {
    state.unschedule('escrow', id);
    scheduleForgetting(context, settled);
  }
  return settled;
}

/** Gives the buyer back all that is still locked. */
function refund(context: OrderContext, escrow: Escrow): void {
  const { state, timeMs } = context;
  const { id, pendingId, remaining, refunded } = escrow;
  context.book(id, [{ do: 'void', pendingId, kind: 'escrow-refund' }, returnStep(escrow, remaining)]);
  const settled: Escrow = {
    ...escrow,
    state: 'refunded',
    refunded: refunded + remaining,
    remaining: 0n,
    pendingId: 0n,
    endedAtMs: timeMs,
  };
  state.keepEscrow(settled);
  state.unschedule('escrow', id);
  scheduleForgetting(context, settled);
}

/** From the buyer's locked balance, for the provider to earn. */
export function reserveStep({ buyer, provider }: Escrow, amount: bigint): Step {
  return {
    do: 'reserve',
    from: { kind: 'locked', owner: buyer },
    to: { kind: 'held', owner: provider },
    amount,
    kind: 'escrow-fund',
  };
}

/** From the buyer's locked balance back to what he can spend. */
export function returnStep({ buyer }: Escrow, amount: bigint): Step {
  return {
    do: 'move',
    from: { kind: 'locked', owner: buyer },
    to: { kind: 'available', owner: buyer },
    amount,
    kind: 'escrow-refund',
  };
}

/** Refuses what is settled otherwise, or not now. */
function checkSettleable({ state, agreement }: Escrow): void {
  check(agreement === undefined, 'escrow-streaming');
  check(state !== 'disputed', 'dispute-open');
  check(state === 'funded' || state === 'completed', 'escrow-wrong-state');
}

function inVain(context: OrderContext, buyer: string): number {
  return context.isUnder(BOUNDED_RULES) ? context.state.expired(buyer) : 0;
}

function newEscrow(body: OrderBody<'escrow-create'>, timeMs: number, accepted: boolean): Escrow {
  const { escrow: id, releaser, arbiters, termsHash, deadlineMs, ...terms } = body;
  return {
    id,
    ...terms,
    ...(releaser !== undefined && { releaser }),
    ...(arbiters && { arbiters }),
    ...(termsHash !== undefined && { termsHash }),
    createdAtMs: timeMs,
    deadlineMs: deadlineMs ?? timeMs + DEFAULT_TIMEOUT_MS,
    accepted,
    state: 'created',
    funded: 0n,
    paid: 0n,
    refunded: 0n,
    remaining: 0n,
    pendingId: 0n,
    claims: [],
    claimCount: 0,
  };
}
