import { accrued, affordableMs } from './receipt.ts';

const MINUTE_MS = 60_000;
/** Funds for less than this are low: a warning, and the time to top up. */
export const LOW_MS = 30 * MINUTE_MS;
/** Funds for less than this: grace, the last time to save what runs. */
const GRACE_MS = 10 * MINUTE_MS;
/** For so long the data of a frozen lease is kept. */
export const FROZEN_KEPT_MS = 24 * 60 * MINUTE_MS;

/**
 * How far the funds of a lease reach. It degrades and is never cut off at once: `low` and `grace` while funds
 * remain, so that nobody works unpaid; `frozen`, paused with its data kept, when they are used up.
 */
export type FundsState = 'active' | 'low' | 'grace' | 'frozen' | 'closed';

/** What the time of an agreement is counted by. */
export interface Metered {
  /** Base units a second, times RATE_SCALE. */
  readonly rate: bigint;
  readonly originMs: number;
  /** Time since the origin in which it was not active. */
  readonly pausedMs: number;
  readonly state: 'open' | 'closing' | 'closed';
}

/** When the funds are used up, if it is active from now on. @param total all that was ever put in. */
export function exhaustedAtMs({ rate, originMs, pausedMs }: Metered, total: bigint): number {
  return originMs + pausedMs + affordableMs(rate, total);
}

export function fundsStateAt(agreement: Metered, total: bigint, timeMs: number): FundsState {
  const leftMs = exhaustedAtMs(agreement, total) - timeMs;
  if (agreement.state !== 'open' || leftMs <= -FROZEN_KEPT_MS) return 'closed';
  if (leftMs <= 0) return 'frozen';
  if (leftMs <= GRACE_MS) return 'grace';
  return leftMs <= LOW_MS ? 'low' : 'active';
}

/** When the state of its funds changes next, after `timeMs`; Infinity if it does not. */
export function nextChangeMs(agreement: Metered, total: bigint, timeMs: number): number {
  const exhausted = exhaustedAtMs(agreement, total);
  const changes = [exhausted - LOW_MS, exhausted - GRACE_MS, exhausted, exhausted + FROZEN_KEPT_MS];
  return changes.find((change) => change > timeMs) ?? Infinity;
}

/**
 * How long it was active, as far as its funds reach; what the ledger supposes until a receipt says better.
 */
export function supposedActiveMs(agreement: Metered, total: bigint, timeMs: number): number {
  const untilMs = Math.min(timeMs, exhaustedAtMs(agreement, total));
  return Math.max(0, untilMs - agreement.originMs - agreement.pausedMs);
}

/** What is owed at a time beyond what was paid. */
export function owedAt(
  agreement: Metered & { readonly paid: bigint },
  total: bigint,
  timeMs: number,
): bigint {
  return accrued(agreement.rate, supposedActiveMs(agreement, total, timeMs)) - agreement.paid;
}
