import { CodedError, formatDuration, formatMolt } from '@clawbernetes/kernel';
import {
  accrued,
  checkReceipt,
  isReceiptSignedBy,
  ORDER_RESULTS,
  receiptHash,
  refusalOf,
  type OrderResultName,
  type Receipt,
} from '@clawbernetes/orders';
import type { AgreementView, SignedReceipt } from './receipts.ts';

/** What a buyer knows when a receipt comes. */
export interface ProposalFacts {
  readonly ledgerId: string;
  readonly agreement: AgreementView;
  /** Address of who is about to sign. */
  readonly buyer: string;
  /** The receipt that he signed last, if any. */
  readonly before: Receipt | undefined;
  /** By the clock of the ledger. */
  readonly timeMs: number;
  /** What he has measured himself, and what he will pay in all. */
  readonly maxActiveMs?: number | undefined;
  readonly maxAmount?: bigint | undefined;
}

/**
 * Lets a receipt pass that the buyer can sign: of this agreement, by its provider, after all that he has
 * signed, and for no more than was active. @throws CodedError with the code of a ledger's result.
 */
export function checkProposal({ receipt, providerSignature }: SignedReceipt, facts: ProposalFacts): void {
  checkParties(receipt, facts);
  if (!isReceiptSignedBy(receipt.provider, providerSignature, receipt))
    throw fault(
      'signature-forged',
      `Receipt ${receipt.n} is not as its provider ${receipt.provider} signed it, or he never did. ` +
        'Ask him for it again.',
    );
  if (facts.agreement.state === 'closed')
    throw fault(
      'agreement-closed',
      `Agreement ${receipt.agreement} is closed; nothing is paid by it any more.`,
    );
  if (facts.before && receiptHash(facts.before) === receiptHash(receipt)) return;
  checkChain(receipt, facts);
  checkMeters(receipt, facts);
}

/** @throws CodedError `signature-foreign`. */
export function checkLedger({ n, ledger }: Receipt, ledgerId: string): void {
  if (ledger === ledgerId) return;
  const message = `Receipt ${n} is for the ledger ${ledger}; this gateway keeps ${ledgerId}. Name the right one with --gateway.`;
  throw fault('signature-foreign', message);
}

function checkParties(receipt: Receipt, { ledgerId, agreement, buyer }: ProposalFacts): void {
  checkLedger(receipt, ledgerId);
  if (receipt.buyer !== buyer)
    throw fault(
      'signer-not-allowed',
      `The buyer of receipt ${receipt.n} is ${receipt.buyer}; you are ${buyer}. Sign with the buyer’s wallet.`,
    );
  if (receipt.agreement !== agreement.agreement || agreement.buyer !== buyer)
    throw fault(
      'signer-not-allowed',
      `Agreement ${agreement.agreement} is not one of yours: its buyer is ${agreement.buyer}.`,
    );
  if (receipt.provider !== agreement.provider)
    throw fault(
      'signer-not-allowed',
      `Receipt ${receipt.n} names the provider ${receipt.provider}; that of the agreement is ${agreement.provider}.`,
    );
}

/** Against the newer of what was settled and what he has signed. */
function checkChain(receipt: Receipt, { agreement, before, timeMs }: ProposalFacts): void {
  const settled = agreement.last && {
    ...agreement.last,
    cumulativeAmount: BigInt(agreement.last.cumulativeAmount),
  };
  const signed = before && {
    n: before.n,
    hash: receiptHash(before),
    cumulativeAmount: before.cumulativeAmount,
    activeMs: before.meters.activeMs,
  };
  const last = signed && signed.n >= (settled?.n ?? 0) ? signed : settled;
  const terms = { rate: BigInt(agreement.rate), originMs: agreement.originMs };
  try {
    checkReceipt(last ? { ...terms, last } : terms, receipt, timeMs);
  } catch (error) {
    const code = refusalOf(error);
    if (code === undefined) throw error;
    const was = last === signed ? 'which you have signed' : 'which was settled';
    throw fault(code, sentence(code, receipt, { ...terms, last, was }));
  }
}

/** No more may have been active than time has passed since the receipt before: what was paused stays so. */
function checkMeters(receipt: Receipt, { before, maxActiveMs, maxAmount }: ProposalFacts): void {
  const { activeMs } = receipt.meters;
  if (before && activeMs - before.meters.activeMs > receipt.timeMs - before.timeMs) {
    const [grown, passed] = [activeMs - before.meters.activeMs, Math.max(0, receipt.timeMs - before.timeMs)];
    throw fault(
      'receipt-time-wrong',
      `Receipt ${receipt.n} counts ${formatDuration(grown)} more than receipt ${before.n}, ` +
        `made ${formatDuration(passed)} before. What was paused was not active.`,
    );
  }
  if (maxActiveMs !== undefined && activeMs > maxActiveMs)
    throw fault(
      'receipt-time-wrong',
      `Receipt ${receipt.n} counts ${formatDuration(activeMs)} as active; you measured ${formatDuration(maxActiveMs)}.`,
    );
  if (maxAmount !== undefined && receipt.cumulativeAmount > maxAmount)
    throw fault(
      'receipt-amount-wrong',
      `Receipt ${receipt.n} comes to ${formatMolt(receipt.cumulativeAmount)} MOLT in all; ` +
        `you allow ${formatMolt(maxAmount)}.`,
    );
}

interface Place {
  readonly rate: bigint;
  readonly last: { readonly n: number; readonly cumulativeAmount: bigint } | undefined;
  readonly was: string;
}

function sentence(code: OrderResultName, receipt: Receipt, { rate, last, was }: Place): string {
  const { n, cumulativeAmount, meters } = receipt;
  const before = last ? `receipt ${last.n}, ${was}` : 'nothing';
  const due = accrued(rate, meters.activeMs);
  if (code === 'receipt-out-of-order')
    return `Receipt ${n} is older than ${before}. Nothing is lost: each takes in all before it. Use the newest.`;
  if (code === 'receipt-conflict')
    return `Another receipt ${n} is the one ${was}. Do not sign two of one number; keep both for a dispute.`;
  if (code === 'receipt-chain-broken')
    return `Receipt ${n} does not follow ${before}: its prevHash differs. Have it proposed after that one (--after).`;
  if (code !== 'receipt-amount-wrong') return `Receipt ${n}: ${ORDER_RESULTS[code].says}`;
  return cumulativeAmount === due
    ? `Receipt ${n} comes to ${formatMolt(cumulativeAmount)} MOLT in all, less than ${before}. Amounts only rise.`
    : `Receipt ${n} asks for ${formatMolt(cumulativeAmount)} MOLT in all, ` +
        `where the rate and its active time make ${formatMolt(due)}.`;
}

function fault(code: OrderResultName, message: string): CodedError {
  return new CodedError(message, { code });
}
