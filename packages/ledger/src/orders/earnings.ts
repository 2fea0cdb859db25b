import { present } from '@clawbernetes/kernel';
import { check } from '@clawbernetes/orders';
import { BOUNDED_RULES, HELD_RULES, ROOM_RULES } from '../machine/rules.ts';
import type { Step } from './books.ts';
import { forgetFirstEscrow } from './escrow-room.ts';
import { feeOf, tierOf } from './fees.ts';
import { REMEMBERED_MS, type OrderContext } from './order-context.ts';
import type { OrderState } from './order-state.ts';
import type { Claim, Escrow } from './records.ts';

/** What was earned can be disputed for this long, and is held meanwhile. */
export const DISPUTE_WINDOW_MS = 86_400_000;
/**
 * What came to nothing is remembered until its id, which is of 24 hours at most, cannot be taken for a new
 * one.
 */
const NOTHING_REMEMBERED_MS = 2 * 86_400_000;
/** Payments of one escrow that are held at once. */
export const MAX_CLAIMS = 2000;

export function claimKey(escrow: string, number: number): string {
  return `${escrow}.${number}`;
}

/** Held payments of an escrow, the newest last. */
export function claimsOf(state: OrderState, { id, claims }: Escrow): readonly Claim[] {
  return claims.map((number) => present(state.claims.get(claimKey(id, number)), 'a held claim'));
}

/** The fee of a job at the tier that the provider has now. */
export function jobFee(state: OrderState, provider: string, gross: bigint): bigint {
  return feeOf(gross, tierOf(state.stakes.get(provider)?.staked ?? 0n).jobFee);
}

/** The provider's share goes to his held balance by another step; this sets its fee aside. */
export function feeStep(provider: string, fee: bigint): Step {
  return {
    do: 'move',
    from: { kind: 'held', owner: provider },
    to: { kind: 'fees' },
    amount: fee,
    kind: 'job-fee',
  };
}

/**
 * Refuses when too many payments are held, before another is made. Of each escrow one may be of any size;
 * what is held beyond that comes to `minEscrow` for each payment. So nobody fills the table with payments of
 * next to nothing: there are at most as many as escrows, and the rest of the room, once more as much, is
 * taken only by whoever has `maxOpen` times `minEscrow` in it. A bound for each owner would be filled by
 * others: who is paid has no say in how often.
 */
export function checkClaimRoom(context: OrderContext, escrow: Escrow, gross: bigint): void {
  const { state, settings } = context;
  const { length: held } = escrow.claims;
  check(held < MAX_CLAIMS, 'too-many-claims');
  const isBounded = context.isUnder(HELD_RULES);
  check(state.claims.size < settings.maxOpen * (isBounded ? 2 : 1), 'ledger-full');
  if (!isBounded || gross === 0n) return;
  const sum = claimsOf(state, escrow).reduce((total, claim) => total + claim.gross, gross);
  check(sum >= BigInt(held) * (settings.minEscrow ?? 0n), 'payments-too-small');
}

/** Another payment that is held from now. @returns the escrow with it, yet to be kept. */
export function addClaim(
  { state, timeMs }: OrderContext,
  escrow: Escrow,
  { gross, fee }: { readonly gross: bigint; readonly fee: bigint },
): Escrow {
  if (gross === 0n) return escrow;
  const number = escrow.claimCount;
  const { id, buyer, provider } = escrow;
  const maturesAtMs = timeMs + DISPUTE_WINDOW_MS;
  keepClaim(state, { escrow: id, number, buyer, provider, gross, fee, maturesAtMs, contested: false });
  return { ...escrow, claims: [...escrow.claims, number], claimCount: number + 1 };
}

export function keepClaim(state: OrderState, claim: Claim): void {
  const key = claimKey(claim.escrow, claim.number);
  state.claims.set(key, claim);
  if (claim.contested) state.unschedule('claim', key);
  else state.schedule('claim', key, claim.maturesAtMs);
}

/** A claim is settled. @returns the escrow without it, yet to be kept. */
export function dropClaim(state: OrderState, escrow: Escrow, number: number): Escrow {
  const key = claimKey(escrow.id, number);
  state.claims.delete(key);
  state.unschedule('claim', key);
  return { ...escrow, claims: escrow.claims.filter((other) => other !== number) };
}

/** The dispute window of a claim is over: it is the provider's, and its fee is earned. */
export function matureClaim(context: OrderContext, key: string): void {
  const claim = present(context.state.claims.get(key), 'a claim that matures');
  const escrow = present(context.state.escrows.get(claim.escrow), 'the escrow of a claim');
  context.book(escrow.id, maturitySteps([claim]));
  const settled = dropClaim(context.state, escrow, claim.number);
  context.state.keepEscrow(settled);
  scheduleForgetting(context, settled);
}

/** Shares of one provider become available. */
export function maturitySteps(claims: readonly Claim[]): readonly Step[] {
  const [first] = claims;
  if (!first) return [];
  const fee = claims.reduce((sum, claim) => sum + claim.fee, 0n);
  const gross = claims.reduce((sum, claim) => sum + claim.gross, 0n);
  const owner = first.provider;
  return [
    {
      do: 'move',
      from: { kind: 'held', owner },
      to: { kind: 'available', owner },
      amount: gross - fee,
      kind: 'earnings-available',
    },
    { do: 'move', from: { kind: 'fees' }, to: { kind: 'treasury' }, amount: fee, kind: 'job-fee-earned' },
  ];
}

/** Once nothing of an escrow that has ended is open any more, it is remembered for a while only. */
export function scheduleForgetting(context: OrderContext, escrow: Escrow): void {
  const { state, timeMs } = context;
  if (escrow.endedAtMs === undefined || escrow.dispute !== undefined) return;
  if (escrow.claims.length > 0) {
    hasten(context, escrow);
    return;
  }
  const isNothing = escrow.state === 'expired' && context.isUnder(BOUNDED_RULES);
  const rememberedMs = isNothing ? NOTHING_REMEMBERED_MS : REMEMBERED_MS;
  state.schedule('forget-escrow', escrow.id, timeMs + rememberedMs);
  forgetFirstEscrow(context);
}

/**
 * An escrow that has ended takes room while payments of it are held. Where they come to less than `minEscrow`
 * they mature at once, or next to nothing would keep others out.
 */
function hasten(context: OrderContext, escrow: Escrow): void {
  const { state, settings, timeMs } = context;
  if (!context.isUnder(ROOM_RULES)) return;
  const held = claimsOf(state, escrow);
  const sum = held.reduce((total, claim) => total + claim.gross, 0n);
  if (sum >= (settings.minEscrow ?? 0n)) return;
  for (const claim of held) keepClaim(state, { ...claim, maturesAtMs: timeMs });
}
