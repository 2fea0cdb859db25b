import { check, checkReceipt, type OrderBody, type Receipt } from '@clawbernetes/orders';
import { findAgreement, escrowOf, keepAgreement } from './agreements.ts';
import { addClaim, checkClaimRoom, feeStep } from './earnings.ts';
import { tierOf } from './fees.ts';
import type { OrderContext, OrderPlan } from './order-context.ts';
import type { Agreement, Escrow } from './records.ts';

/** What one receipt comes to. */
interface Due {
  readonly agreement: Agreement;
  readonly escrow: Escrow;
  readonly gross: bigint;
  readonly fee: bigint;
}

/**
 * Pays what the last co-signed receipts say beyond what was paid. One transfer for all leases between the two
 * parties; the same receipts again pay nothing more.
 */
export function settleAgreements(
  context: OrderContext,
  { receipts }: OrderBody<'agreement-settle'>,
): OrderPlan {
  return {
    scope: '',
    quorums: [],
    run: () => {
      const dues = receipts.map(({ receipt }) => dueOf(context, receipt));
      checkOnePair(dues.map(({ agreement }) => agreement));
      const paying = dues.filter(({ gross }) => gross > 0n);
      payTogether(context, paying);
      for (const due of dues) keepPaid(context, due);
    },
  };
}

function dueOf(context: OrderContext, receipt: Receipt): Due {
  const { state, settings, timeMs } = context;
  check(receipt.ledger === settings.ledger, 'signature-foreign');
  const agreement = findAgreement(state, receipt.agreement);
  check(agreement.state !== 'closed', 'agreement-closed');
  const isOfParties = receipt.buyer === agreement.buyer && receipt.provider === agreement.provider;
  check(isOfParties, 'signer-not-allowed');
  const last = checkReceipt(agreement, receipt, timeMs);
  const escrow = escrowOf(state, agreement);
  const owed = last.cumulativeAmount - agreement.paid;
  const gross = owed < escrow.remaining ? owed : escrow.remaining;
  checkClaimRoom(context, escrow, gross);
  const { jobFee } = tierOf(state.stakes.get(agreement.provider)?.staked ?? 0n);
  const feeParts = gross * jobFee + agreement.feeRemainder;
  const pausedMs = Math.max(agreement.pausedMs, receipt.timeMs - agreement.originMs - last.activeMs);
  const paid = agreement.paid + gross;
  const after = { ...agreement, last, pausedMs, paid, feeRemainder: feeParts % 10_000n };
  return { agreement: after, escrow, gross, fee: feeParts / 10_000n };
}

function checkOnePair(agreements: readonly Agreement[]): void {
  const [first] = agreements;
  const isOnePair = agreements.every(
    ({ buyer, provider }) => buyer === first?.buyer && provider === first.provider,
  );
  const areDistinct = new Set(agreements.map(({ id }) => id)).size === agreements.length;
  check(isOnePair && areDistinct, 'receipts-differ');
}

function payTogether(context: OrderContext, dues: readonly Due[]): void {
  const [first] = dues;
  if (!first) return;
  const { id, buyer, provider } = first.agreement;
  const gross = dues.reduce((sum, due) => sum + due.gross, 0n);
  const fee = dues.reduce((sum, due) => sum + due.fee, 0n);
  context.book(id, [
    {
      do: 'move',
      from: { kind: 'locked', owner: buyer },
      to: { kind: 'held', owner: provider },
      amount: gross,
      kind: 'stream-pay',
    },
    feeStep(provider, fee),
  ]);
}

function keepPaid(context: OrderContext, { agreement, escrow, gross, fee }: Due): void {
  const paid = { ...escrow, paid: escrow.paid + gross, remaining: escrow.remaining - gross };
  context.state.keepEscrow(addClaim(context, paid, { gross, fee }));
  keepAgreement(context, agreement);
}
