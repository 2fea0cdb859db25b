import { assert, present } from '@clawbernetes/kernel';
import { check, refuse, type OrderBody } from '@clawbernetes/orders';
import { BOUNDED_RULES, ROOM_RULES } from '../machine/rules.ts';
import { closeEmptied } from './agreements.ts';
import { anyOf } from './authorization.ts';
import type { Step } from './books.ts';
import { claimsOf, dropClaim, jobFee, keepClaim, scheduleForgetting } from './earnings.ts';
import { disputePanel } from './escrow-terms.ts';
import { findEscrow, pay, returnStep } from './escrows.ts';
import { feeOf, tierOf } from './fees.ts';
import { scopeOf } from './nonce-memory.ts';
import type { OrderContext, OrderPlan } from './order-context.ts';
import type { Claim, Dispute, Escrow } from './records.ts';
import { countDispute, slash, slashSteps, unbond } from './stakes.ts';
import type { AccountName } from './standard-accounts.ts';

const DAY_MS = 86_400_000;
/** Arbiters who say nothing for so long leave things as they would be without the dispute. */
export const RESOLUTION_MS = 30 * DAY_MS;

export function openDispute(context: OrderContext, body: OrderBody<'escrow-dispute'>): OrderPlan {
  const escrow = findEscrow(context.state, body.escrow);
  const { buyer, provider } = escrow;
  return {
    scope: scopeOf('escrow', escrow.id),
    quorums: [anyOf(buyer, provider)],
    run: (signers) => {
      const opener = signers.has(buyer) ? buyer : provider;
      check(escrow.dispute === undefined, 'dispute-open');
      const isLocked =
        escrow.agreement === undefined && (escrow.state === 'funded' || escrow.state === 'completed');
      const contested = isLocked
        ? contestLocked(context, escrow, opener, body)
        : contestHeld(context, escrow, opener, body);
      context.state.keepEscrow(contested);
      context.state.schedule('escrow', escrow.id, context.timeMs + RESOLUTION_MS);
      if (escrow.accepted) countDispute(context.state, provider, 1);
    },
  };
}

/** What the buyer does not contest is paid at once; the provider contests all of it. */
function contestLocked(
  context: OrderContext,
  escrow: Escrow,
  opener: string,
  { amount = escrow.remaining, reason }: OrderBody<'escrow-dispute'>,
): Escrow {
  check(context.timeMs < escrow.deadlineMs, 'escrow-over');
  check(amount <= escrow.remaining, 'amount-exceeds-escrow');
  check(opener === escrow.buyer || amount === escrow.remaining, 'split-wrong');
  const dispute = newDispute(context, { opener, amount, place: 'locked', reason });
  const uncontested = escrow.remaining - amount;
  if (uncontested === 0n) {
    context.book(escrow.id, [depositStep(dispute)]);
    return { ...escrow, state: 'disputed', dispute };
  }
  return { ...pay(context, escrow, uncontested, [depositStep(dispute)]), state: 'disputed', dispute };
}

/** Freezes the newest of what the provider has earned and not yet received, and nothing else. */
function contestHeld(
  context: OrderContext,
  escrow: Escrow,
  opener: string,
  body: OrderBody<'escrow-dispute'>,
): Escrow {
  const isOngoing = escrow.state === 'funded' && escrow.agreement !== undefined;
  check(isOngoing || escrow.state === 'released', 'escrow-wrong-state');
  check(opener === escrow.buyer, 'signer-not-allowed');
  const held = claimsOf(context.state, escrow).filter((claim) => claim.maturesAtMs > context.timeMs);
  const most = held.reduce((sum, { gross }) => sum + gross, 0n);
  check(most > 0n, 'dispute-window-over');
  const amount = body.amount ?? most;
  check(amount <= most, 'amount-exceeds-escrow');
  const dispute = newDispute(context, { opener, amount, place: 'held', reason: body.reason });
  context.book(escrow.id, [depositStep(dispute)]);
  const contested = freeze(context, escrow, held, amount);
  return { ...contested, state: isOngoing ? 'funded' : 'disputed', dispute };
}

/** Contests claims, the newest first; the last is split where the amount ends. */
function freeze(context: OrderContext, escrow: Escrow, held: readonly Claim[], amount: bigint): Escrow {
  const { state } = context;
  let [left, after] = [amount, escrow];
  for (const claim of held.toReversed()) {
    if (left === 0n) break;
    const gross = left < claim.gross ? left : claim.gross;
    const fee = (claim.fee * gross) / claim.gross;
    if (gross === claim.gross) keepClaim(state, { ...claim, contested: true });
    else {
      keepClaim(state, { ...claim, gross: claim.gross - gross, fee: claim.fee - fee });
      const number = after.claimCount;
      keepClaim(state, { ...claim, number, gross, fee, contested: true });
      after = { ...after, claims: [...after.claims, number], claimCount: number + 1 };
    }
    left -= gross;
  }
  assert(left === 0n, 'all that is contested is frozen');
  return after;
}

export function resolveDispute(context: OrderContext, body: OrderBody<'escrow-resolve'>): OrderPlan {
  const escrow = findEscrow(context.state, body.escrow);
  return {
    scope: scopeOf('escrow', escrow.id),
    quorums: [disputePanel(escrow, context.settings)],
    run: () => {
      const { dispute } = escrow;
      if (!dispute) refuse('dispute-not-found');
      const { toBuyer, toProvider, slash: slashed, slashTo } = body;
      check(toBuyer + toProvider === dispute.amount, 'split-wrong');
      const slashedInAll = (escrow.slashed ?? 0n) + slashed;
      check(slashedInAll <= escrow.slashable, 'slash-exceeds-limit');
      const won = dispute.opener === escrow.buyer ? toBuyer : toProvider;
      const returned = (dispute.deposit * won) / dispute.amount;
      const to = slashTaker(context, escrow, slashTo);
      const stakeSteps = slashSteps(context.state, escrow.provider, slashed, to);
      const noted = slashed > 0n && context.isUnder(BOUNDED_RULES) ? { slashed: slashedInAll } : {};
      settle(context, { ...escrow, ...noted }, { dispute, toBuyer, returned, more: stakeSteps });
      slash(context.state, escrow.provider, slashed);
      if (to.kind === 'unbonding') unbond(context, escrow.buyer, slashed);
    },
  };
}

/**
 * What a buyer gets of a stake unbonds first, as if its owner had taken it out: parties who slash each other
 * do not come by it sooner.
 */
function slashTaker(context: OrderContext, { buyer }: Escrow, slashTo: 'buyer' | 'treasury'): AccountName {
  if (slashTo === 'treasury') return { kind: 'treasury' };
  return { kind: context.isUnder(BOUNDED_RULES) ? 'unbonding' : 'available', owner: buyer };
}

/** Nobody has resolved it in time: the deposit goes back, the rest goes as it would have gone. */
export function endDispute(context: OrderContext, id: string): void {
  const escrow = present(context.state.escrows.get(id), 'an escrow whose dispute ends');
  const dispute = present(escrow.dispute, 'the dispute of an escrow');
  const toBuyer = dispute.place === 'locked' && escrow.onDeadline === 'refund' ? dispute.amount : 0n;
  settle(context, escrow, { dispute, toBuyer, returned: dispute.deposit, more: [] });
}

interface Settlement {
  readonly dispute: Dispute;
  readonly toBuyer: bigint;
  /** Of the deposit, to who opened the dispute. */
  readonly returned: bigint;
  readonly more: readonly Step[];
}

function settle(context: OrderContext, escrow: Escrow, settlement: Settlement): void {
  const { state, timeMs } = context;
  const { dispute, toBuyer } = settlement;
  const [steps, settled] =
    dispute.place === 'locked' ? splitLocked(context, escrow, toBuyer) : splitHeld(context, escrow, toBuyer);
  context.book(escrow.id, [...steps, ...depositSteps(settlement), ...settlement.more]);
  for (const { number } of contestedClaims(context, escrow)) dropClaim(state, escrow, number);
  const { dispute: _, ...undisputed } = settled;
  const isOngoing = undisputed.state === 'funded';
  const after: Escrow = isOngoing ? undisputed : { ...undisputed, state: 'resolved', endedAtMs: timeMs };
  state.keepEscrow(after);
  state.unschedule('escrow', escrow.id);
  if (escrow.accepted) countDispute(state, escrow.provider, -1);
  if (isOngoing && context.isUnder(ROOM_RULES)) closeEmptied(context, after);
  scheduleForgetting(context, after);
}

function splitLocked(
  { state }: OrderContext,
  escrow: Escrow,
  toBuyer: bigint,
): readonly [readonly Step[], Escrow] {
  const { provider: owner, pendingId, remaining } = escrow;
  const toProvider = remaining - toBuyer;
  const fee = jobFee(state, owner, toProvider);
  const [held, available] = [{ kind: 'held', owner } as const, { kind: 'available', owner } as const];
  const end: Step =
    toProvider === 0n
      ? { do: 'void', pendingId, kind: 'dispute-split' }
      : { do: 'post', pendingId, amount: toProvider, kind: 'dispute-split' };
  const steps: readonly Step[] = [
    end,
    { do: 'move', from: held, to: { kind: 'treasury' }, amount: fee, kind: 'job-fee-earned' },
    { do: 'move', from: held, to: available, amount: toProvider - fee, kind: 'earnings-available' },
    returnStep(escrow, toBuyer),
  ];
  const [paid, refunded] = [escrow.paid + toProvider, escrow.refunded + toBuyer];
  return [steps, { ...escrow, paid, refunded, remaining: 0n, pendingId: 0n }];
}

/** Of each claim, the fee goes the way of what it was taken from. */
function splitHeld(
  context: OrderContext,
  escrow: Escrow,
  toBuyer: bigint,
): readonly [readonly Step[], Escrow] {
  const claims = contestedClaims(context, escrow);
  let left = toBuyer;
  let [earned, feeEarned, feeReturned] = [0n, 0n, 0n];
  for (const { gross, fee } of claims) {
    const back = left < gross ? left : gross;
    const kept = (fee * (gross - back)) / gross;
    earned += gross - back - kept;
    feeEarned += kept;
    feeReturned += fee - kept;
    left -= back;
  }
  const { buyer, provider, paid, refunded } = escrow;
  const held = { kind: 'held', owner: provider } as const;
  const [toAvailable, fees] = [{ kind: 'available', owner: buyer } as const, { kind: 'fees' } as const];
  const own = { kind: 'available', owner: provider } as const;
  const steps: readonly Step[] = [
    { do: 'move', from: held, to: toAvailable, amount: toBuyer - feeReturned, kind: 'dispute-split' },
    { do: 'move', from: fees, to: toAvailable, amount: feeReturned, kind: 'job-fee-returned' },
    { do: 'move', from: held, to: own, amount: earned, kind: 'earnings-available' },
    { do: 'move', from: fees, to: { kind: 'treasury' }, amount: feeEarned, kind: 'job-fee-earned' },
  ];
  const numbers = new Set(claims.map(({ number }) => number));
  const open = escrow.claims.filter((number) => !numbers.has(number));
  return [steps, { ...escrow, claims: open, paid: paid - toBuyer, refunded: refunded + toBuyer }];
}

function contestedClaims({ state }: OrderContext, escrow: Escrow): readonly Claim[] {
  return claimsOf(state, escrow).filter(({ contested }) => contested);
}

function newDispute(
  { state, settings, timeMs }: OrderContext,
  facts: Pick<Dispute, 'opener' | 'amount' | 'place' | 'reason'>,
): Dispute {
  const tier = tierOf(state.stakes.get(facts.opener)?.staked ?? 0n);
  const [fee, least] = [feeOf(facts.amount, tier.disputeFee), settings.minDisputeDeposit ?? 0n];
  return { ...facts, deposit: fee > least ? fee : least, openedAtMs: timeMs };
}

function depositStep({ opener, deposit }: Dispute): Step {
  const from = { kind: 'available', owner: opener } as const;
  return { do: 'move', from, to: { kind: 'deposits' }, amount: deposit, kind: 'dispute-deposit' };
}

/** What the opener won of his deposit, and the fee. */
function depositSteps({ dispute, returned }: Settlement): readonly Step[] {
  const { opener, deposit } = dispute;
  const from = { kind: 'deposits' } as const;
  const to = { kind: 'available', owner: opener } as const;
  return [
    { do: 'move', from, to, amount: returned, kind: 'dispute-deposit-returned' },
    { do: 'move', from, to: { kind: 'treasury' }, amount: deposit - returned, kind: 'dispute-fee' },
  ];
}
