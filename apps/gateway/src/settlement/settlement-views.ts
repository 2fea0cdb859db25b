import type { Claim, Escrow, Stake, Tier, Withdrawal } from '@clawbernetes/ledger';
import { tierOf } from '@clawbernetes/ledger';
import type { CommandOutput } from '@clawbernetes/protocol';

export function tierView({ name, stake, jobFee, instantFee, disputeFee }: Tier) {
  return {
    name,
    stake: String(stake),
    jobFee: Number(jobFee),
    instantFee: Number(instantFee),
    disputeFee: Number(disputeFee),
  };
}

export function stakeView({ owner, staked, unbonding, disputes }: Stake): CommandOutput<'molt.stake'> {
  return {
    owner,
    staked: String(staked),
    tier: tierView(tierOf(staked)),
    unbonding: unbonding.map(({ amount, untilMs }) => ({ amount: String(amount), untilMs })),
    disputes,
  };
}

export function escrowView(escrow: Escrow, claims: readonly Claim[]): CommandOutput<'molt.escrow'> {
  const { id, arbiters, dispute, claims: _, claimCount: _count, pendingId: _pending, ...rest } = escrow;
  const { accepted: _accepted, ...terms } = rest;
  return {
    ...terms,
    escrow: id,
    amount: String(terms.amount),
    funded: String(terms.funded),
    paid: String(terms.paid),
    refunded: String(terms.refunded),
    remaining: String(terms.remaining),
    slashable: String(terms.slashable),
    ...(arbiters && { arbiters: { keys: [...arbiters.keys], threshold: arbiters.threshold } }),
    ...(dispute && {
      dispute: { ...dispute, amount: String(dispute.amount), deposit: String(dispute.deposit) },
    }),
    held: claims.map(({ gross, fee, maturesAtMs, contested }) => ({
      gross: String(gross),
      fee: String(fee),
      availableAtMs: maturesAtMs,
      contested,
    })),
  };
}

export function withdrawalView({ id, amount, fee, ...facts }: Withdrawal): CommandOutput<'molt.withdrawal'> {
  return { ...facts, withdrawal: id, amount: String(amount), fee: String(fee) };
}
