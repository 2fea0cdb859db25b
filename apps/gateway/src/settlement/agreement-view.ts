import { present } from '@clawbernetes/kernel';
import type { Agreement, Ledger } from '@clawbernetes/ledger';
import { accrued, exhaustedAtMs, fundsStateAt, supposedActiveMs } from '@clawbernetes/orders';
import type { CommandOutput } from '@clawbernetes/protocol';

/** As it is at a time. */
export function agreementView(
  agreement: Agreement,
  orders: Pick<Ledger['orders'], 'escrow'>,
  timeMs: number,
): CommandOutput<'molt.agreement'> {
  const { id, last, topUp, feeRemainder: _, rate, paid, ...facts } = agreement;
  const escrow = present(orders.escrow(agreement.escrow), 'the escrow of an agreement');
  const { funded, remaining, refunded, deadlineMs } = escrow;
  const activeMs = supposedActiveMs(agreement, funded, timeMs);
  const owed = agreement.state === 'closed' ? 0n : accrued(rate, activeMs) - paid;
  return {
    ...facts,
    agreement: id,
    rate: String(rate),
    funds: fundsStateAt(agreement, funded, timeMs),
    activeMs,
    funded: String(funded),
    paid: String(paid),
    // A party's clock may be a little ahead of the ledger's, and its receipt with it.
    owed: String(owed > 0n ? owed : 0n),
    remaining: String(remaining),
    refunded: String(refunded),
    exhaustedAtMs: exhaustedAtMs(agreement, funded),
    deadlineMs,
    ...(last && { last: { ...last, cumulativeAmount: String(last.cumulativeAmount) } }),
    ...(topUp && {
      topUp: {
        each: String(topUp.each),
        total: String(topUp.total),
        used: String(topUp.used),
        untilMs: topUp.untilMs,
      },
    }),
    timeMs,
  };
}
