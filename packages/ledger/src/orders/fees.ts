import { MOLT } from '@clawbernetes/kernel';

/** From the highest to none. */
export const TIERS = [
  { name: 'diamond', stake: 100_000n * MOLT, jobFee: 50n, instantFee: 0n, disputeFee: 100n },
  { name: 'gold', stake: 10_000n * MOLT, jobFee: 100n, instantFee: 25n, disputeFee: 200n },
  { name: 'silver', stake: 1000n * MOLT, jobFee: 150n, instantFee: 50n, disputeFee: 300n },
  { name: 'bronze', stake: 100n * MOLT, jobFee: 250n, instantFee: 100n, disputeFee: 500n },
  { name: 'none', stake: 0n, jobFee: 250n, instantFee: 100n, disputeFee: 500n },
] as const satisfies readonly Tier[];

/**
 * What stake gives. Fees are in basis points (1/10,000): of a job, of an instant withdrawal, of an escrow.
 */
export interface Tier {
  readonly name: string;
  /** Base units, at least. */
  readonly stake: bigint;
  readonly jobFee: bigint;
  readonly instantFee: bigint;
  readonly disputeFee: bigint;
}

const [, , , , NONE] = TIERS;

export function tierOf(stake: bigint): (typeof TIERS)[number] {
  return TIERS.find((tier) => stake >= tier.stake) ?? NONE;
}

/** The fee in whole base units, rounded down: never more than the rate. */
export function feeOf(amount: bigint, basisPoints: bigint): bigint {
  return (amount * basisPoints) / 10_000n;
}
