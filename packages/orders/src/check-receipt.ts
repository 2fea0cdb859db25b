import { check } from './order-result.ts';
import type { Receipt } from './order-bodies.ts';
import { accrued, FIRST_PREV_HASH, receiptHash } from './receipt.ts';

/** The clocks of the parties may be ahead of the ledger's by this. */
const AHEAD_MS = 60_000;

/** What the next receipt of an agreement counts from. */
export interface ReceiptTerms {
  /** Base units a second, times RATE_SCALE. */
  readonly rate: bigint;
  readonly originMs: number;
  readonly last?: LastReceipt;
}

/** What is kept of the newest receipt. */
export interface LastReceipt {
  readonly n: number;
  readonly hash: string;
  readonly cumulativeAmount: bigint;
  readonly activeMs: number;
}

/**
 * Refuses a receipt that does not follow from the terms and the receipt before it, with `receipt-…`.
 * @returns it, as the last of its agreement.
 */
export function checkReceipt(
  { rate, originMs, last }: ReceiptTerms,
  receipt: Receipt,
  timeMs: number,
): LastReceipt {
  const { n, prevHash, cumulativeAmount, meters } = receipt;
  const hash = receiptHash(receipt);
  if (last) {
    check(n >= last.n, 'receipt-out-of-order');
    check(n > last.n || hash === last.hash, 'receipt-conflict');
    check(n !== last.n + 1 || prevHash === last.hash, 'receipt-chain-broken');
    check(cumulativeAmount >= last.cumulativeAmount, 'receipt-amount-wrong');
  } else check(n > 1 || prevHash === FIRST_PREV_HASH, 'receipt-chain-broken');
  check(receipt.timeMs <= timeMs + AHEAD_MS, 'receipt-time-wrong');
  check(meters.activeMs <= receipt.timeMs - originMs, 'receipt-time-wrong');
  check(cumulativeAmount === accrued(rate, meters.activeMs), 'receipt-amount-wrong');
  return { n, hash, cumulativeAmount, activeMs: meters.activeMs };
}
