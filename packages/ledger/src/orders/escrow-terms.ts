import { check, refuse, type OrderBody, type Panel } from '@clawbernetes/orders';
import { allOf, anyOf, type Quorum } from './authorization.ts';
import type { Escrow, Settings } from './records.ts';

const DAY_MS = 86_400_000;
export const DEFAULT_TIMEOUT_MS = 7 * DAY_MS;
/** An escrow settles by itself within a year. */
const MAX_TIMEOUT_MS = 366 * DAY_MS;

/** Refuses terms that contradict each other with `escrow-terms-invalid`. */
export function checkTerms(body: OrderBody<'escrow-create'>, timeMs: number): void {
  const { buyer, provider, release, releaser, arbiters, slashable } = body;
  const deadlineMs = body.deadlineMs ?? timeMs + DEFAULT_TIMEOUT_MS;
  const fits =
    buyer !== provider &&
    (release === 'single') === (releaser !== undefined) &&
    (release !== 'arbiters' || arbiters !== undefined) &&
    (slashable === 0n || arbiters !== undefined) &&
    (arbiters === undefined || isPanel(arbiters)) &&
    deadlineMs > timeMs &&
    deadlineMs <= timeMs + MAX_TIMEOUT_MS;
  check(fits, 'escrow-terms-invalid');
}

/** A panel has each key once, and can reach its threshold. */
export function isPanel({ keys, threshold }: Panel): boolean {
  return new Set(keys).size === keys.length && threshold <= keys.length;
}

/** Who may release. Refuses with `release-not-allowed` where only time does. */
export function releaseQuorum({ release, releaser, buyer, provider, arbiters }: Escrow): Quorum {
  if (release === 'both') return allOf(buyer, provider);
  if (release === 'single' && releaser !== undefined) return anyOf(releaser);
  if (release === 'arbiters' && arbiters) return arbiters;
  return refuse('release-not-allowed');
}

/** Who may refund: the provider what would be his, or the arbiters who could release it. */
export function refundQuorums({ release, provider, arbiters }: Escrow): readonly Quorum[] {
  return release === 'arbiters' && arbiters ? [allOf(provider), arbiters] : [allOf(provider)];
}

/** Who resolves disputes: the arbiters that the parties named, else the council of the ledger. */
export function disputePanel({ arbiters }: Escrow, { council }: Settings): Panel {
  return arbiters ?? council;
}
