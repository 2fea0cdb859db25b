import { present } from '@clawbernetes/kernel';
import {
  affordableMs,
  check,
  exhaustedAtMs,
  FROZEN_KEPT_MS,
  LOW_MS,
  nextChangeMs,
  refusalOf,
  refuse,
  type OrderBody,
} from '@clawbernetes/orders';
import { BOUNDED_RULES, ROOM_RULES } from '../machine/rules.ts';
import { allOf, anyOf } from './authorization.ts';
import { claimsOf, scheduleForgetting } from './earnings.ts';
import { findEscrow, returnStep } from './escrows.ts';
import { scopeOf } from './nonce-memory.ts';
import type { OrderContext, OrderPlan } from './order-context.ts';
import type { OrderState } from './order-state.ts';
import type { Agreement, Escrow, TopUpLimit } from './records.ts';

const MIN_WINDOW_MS = 1000;
const MAX_WINDOW_MS = 300_000;
/**
 * What an automatic top-up pays for at least: a lease that lives from hand to mouth would keep the ledger
 * busy.
 */
const MIN_TOP_UP_MS = 60_000;
/** Once one party closes, the other has so long to bring the last receipt. */
export const CLOSING_MS = 3_600_000;

export function findAgreement(state: OrderState, id: string): Agreement {
  return state.agreements.get(id) ?? refuse('agreement-not-found');
}

/** The escrow that pays for an agreement. */
export function escrowOf(state: OrderState, agreement: Agreement): Escrow {
  return present(state.escrows.get(agreement.escrow), 'the escrow of an agreement');
}

/** From now on the escrow pays by receipts; only the agreement settles it. */
export function openAgreement(context: OrderContext, body: OrderBody<'agreement-open'>): OrderPlan {
  const { agreement: id, rate, windowMs } = body;
  const { state, timeMs } = context;
  const escrow = findEscrow(state, body.escrow);
  const { buyer, provider, pendingId, deadlineMs } = escrow;
  return {
    scope: scopeOf('agreement', id),
    quorums: [allOf(buyer, provider)],
    run: (signers) => {
      check(!state.agreements.has(id), 'id-used');
      context.checkOwnNewId(id, signers);
      context.checkNotForgotten(id, 'escrowsMs');
      check(escrow.state === 'funded' && escrow.agreement === undefined, 'escrow-wrong-state');
      check(timeMs < deadlineMs, 'escrow-over');
      check(windowMs >= MIN_WINDOW_MS && windowMs <= MAX_WINDOW_MS, 'agreement-terms-invalid');
      // Each has an escrow, and those have their bounds.
      if (!context.isUnder(ROOM_RULES)) context.checkRoom(state.agreements.size);
      // Locked funds belong to nobody's signature; without the reservation many leases are paid by one
      // transfer.
      context.book(id, [{ do: 'void', pendingId, kind: 'stream-open' }]);
      state.keepEscrow({ ...escrow, accepted: true, agreement: id, pendingId: 0n });
      state.unschedule('escrow', escrow.id);
      const parties = { id, escrow: escrow.id, buyer, provider };
      const clock = { rate, windowMs, originMs: timeMs, pausedMs: 0 };
      keepAgreement(context, { ...parties, ...clock, state: 'open', paid: 0n, feeRemainder: 0n });
    },
  };
}

export function topUpAgreement(context: OrderContext, body: OrderBody<'agreement-top-up'>): OrderPlan {
  const agreement = findAgreement(context.state, body.agreement);
  return {
    scope: scopeOf('agreement', agreement.id),
    quorums: [allOf(agreement.buyer)],
    run: () => {
      check(agreement.state === 'open', 'agreement-closed');
      keepAgreement(context, topUp(context, agreement, body.amount));
    },
  };
}

export function limitTopUps(context: OrderContext, body: OrderBody<'agreement-auto-top-up'>): OrderPlan {
  const { each, total, untilMs } = body;
  const agreement = findAgreement(context.state, body.agreement);
  return {
    scope: scopeOf('agreement', agreement.id),
    quorums: [allOf(agreement.buyer)],
    run: () => {
      check(agreement.state === 'open', 'agreement-closed');
      const { topUp: _, ...without } = agreement;
      if (total === 0n) {
        keepAgreement(context, without);
        return;
      }
      const isLimit = each > 0n && each <= total && untilMs > context.timeMs;
      check(isLimit && lastsLong(context, agreement, each), 'top-up-limit-invalid');
      const limited = { ...without, topUp: { each, total, used: 0n, untilMs } };
      keepAgreement(context, topUpIfLow(context, limited));
    },
  };
}

/** Both at once, or one and the other has time for the last receipt. */
export function closeAgreement(context: OrderContext, body: OrderBody<'agreement-close'>): OrderPlan {
  const agreement = findAgreement(context.state, body.agreement);
  const { buyer, provider } = agreement;
  return {
    scope: scopeOf('agreement', agreement.id),
    quorums: [anyOf(buyer, provider)],
    run: (signers) => {
      check(agreement.state !== 'closed', 'agreement-closed');
      if (signers.size > 1) finish(context, agreement);
      else {
        check(agreement.state === 'open', 'agreement-closed');
        startClosing(context, agreement);
      }
    },
  };
}

/** Its funds run low or out, its time is over, or the time for last receipts is. */
export function turnAgreement(context: OrderContext, id: string): void {
  const { state, timeMs } = context;
  const agreement = findAgreement(state, id);
  const escrow = escrowOf(state, agreement);
  if (agreement.state === 'closing') {
    finish(context, agreement);
    return;
  }
  const topped = timeMs < escrow.deadlineMs ? topUpIfLow(context, agreement) : agreement;
  const isOver =
    timeMs >= escrow.deadlineMs ||
    exhaustedAtMs(topped, escrowOf(state, topped).funded) + FROZEN_KEPT_MS <= timeMs;
  if (isOver) startClosing(context, topped);
  else keepAgreement(context, topped);
}

/** Keeps it, and when something happens to it next. */
export function keepAgreement({ state, timeMs }: OrderContext, agreement: Agreement): void {
  const { id, closesAtMs } = agreement;
  state.keepAgreement(agreement);
  const { funded, deadlineMs } = escrowOf(state, agreement);
  if (agreement.state === 'closed') state.unschedule('agreement', id);
  else if (closesAtMs !== undefined) state.schedule('agreement', id, closesAtMs);
  else state.schedule('agreement', id, Math.min(deadlineMs, nextChangeMs(agreement, funded, timeMs)));
}

/** A dispute has left next to nothing of a lease: it closes at once, and takes no more room. */
export function closeEmptied(context: OrderContext, escrow: Escrow): void {
  const { state, settings, timeMs } = context;
  const held = claimsOf(state, escrow).reduce((sum, { gross }) => sum + gross, 0n);
  if (escrow.agreement === undefined || escrow.remaining + held >= (settings.minEscrow ?? 0n)) return;
  const agreement = findAgreement(state, escrow.agreement);
  keepAgreement(context, { ...agreement, state: 'closing', closesAtMs: timeMs });
}

function startClosing(context: OrderContext, agreement: Agreement): void {
  keepAgreement(context, { ...agreement, state: 'closing', closesAtMs: context.timeMs + CLOSING_MS });
}

/** What no receipt has claimed goes back to the buyer. */
function finish(context: OrderContext, agreement: Agreement): void {
  const { state, timeMs } = context;
  const escrow = escrowOf(state, agreement);
  const { remaining, paid, refunded, dispute } = escrow;
  context.book(agreement.id, [returnStep(escrow, remaining)]);
  const settled: Escrow = {
    ...escrow,
    state: dispute ? 'disputed' : paid > 0n ? 'released' : 'refunded',
    refunded: refunded + remaining,
    remaining: 0n,
    endedAtMs: timeMs,
  };
  state.keepEscrow(settled);
  keepAgreement(context, { ...agreement, state: 'closed' });
  scheduleForgetting(context, settled);
}

/** As far as the buyer has allowed and can; what he cannot pay changes nothing. */
function topUpIfLow(context: OrderContext, agreement: Agreement): Agreement {
  const { topUp: limit, buyer } = agreement;
  const { funded } = escrowOf(context.state, agreement);
  if (!limit || !isUsable(limit, context.timeMs) || !lastsLong(context, agreement, limit.each))
    return agreement;
  if (exhaustedAtMs(agreement, funded) - context.timeMs > LOW_MS) return agreement;
  if (context.books.balance({ kind: 'available', owner: buyer }) < limit.each) return agreement;
  const used = { ...agreement, topUp: { ...limit, used: limit.used + limit.each } };
  try {
    return topUp(context, used, limit.each);
  } catch (error) {
    // Such as a frozen account; refused before anything is moved.
    if (refusalOf(error) === undefined) throw error;
    return agreement;
  }
}

/** Limits of before this rule end with it, like those that are used up. */
function lastsLong(context: OrderContext, { rate }: Agreement, each: bigint): boolean {
  return !context.isUnder(BOUNDED_RULES) || affordableMs(rate, each) >= MIN_TOP_UP_MS;
}

function isUsable({ each, total, used, untilMs }: TopUpLimit, timeMs: number): boolean {
  return used + each <= total && untilMs > timeMs;
}

/** @returns the agreement, yet to be kept; the time in which it was frozen does not count. */
function topUp(context: OrderContext, agreement: Agreement, amount: bigint): Agreement {
  const { state, timeMs } = context;
  const escrow = escrowOf(state, agreement);
  const { buyer: owner, funded, remaining } = escrow;
  context.book(agreement.id, [
    { do: 'move', from: { kind: 'available', owner }, to: { kind: 'locked', owner }, amount, kind: 'top-up' },
  ]);
  state.keepEscrow({ ...escrow, funded: funded + amount, remaining: remaining + amount });
  const frozenMs = Math.max(0, timeMs - exhaustedAtMs(agreement, funded));
  return { ...agreement, pausedMs: agreement.pausedMs + frozenMs };
}
