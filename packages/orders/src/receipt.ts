import { sha256 } from '@clawbernetes/identity';
import { canonicalJson, RATE_SCALE } from '@clawbernetes/kernel';
import type { Receipt } from './order-bodies.ts';

/** Of the receipt before the first. */
export const FIRST_PREV_HASH = '0'.repeat(64);

/** What both parties sign: canonical JSON, amounts as decimal strings. */
export function receiptText({ meters, cumulativeAmount, ...facts }: Receipt): string {
  const { activeMs, ...counts } = meters;
  const written = Object.entries(counts).map(([name, count]) => [name, count?.toString()] as const);
  return canonicalJson({
    ...facts,
    meters: { activeMs, ...Object.fromEntries(written) },
    cumulativeAmount: cumulativeAmount.toString(),
  });
}

/** What the next receipt names as its prevHash: SHA-256, hexadecimal. */
export function receiptHash(receipt: Receipt): string {
  const digest = sha256(new TextEncoder().encode(receiptText(receipt)));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * What so much active time costs in all, from a fixed origin: however often it is settled in between, the
 * total is the same.
 * @param rate base units a second, times RATE_SCALE.
 */
export function accrued(rate: bigint, activeMs: number): bigint {
  return (rate * BigInt(activeMs)) / (1000n * RATE_SCALE);
}

/** The most active time that such an amount pays for, ms; at most 2^53 − 1. */
export function affordableMs(rate: bigint, amount: bigint): number {
  // The last ms whose accrued amount, rounded down, is not above.
  const ms = ((amount + 1n) * 1000n * RATE_SCALE - 1n) / rate;
  return ms > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(ms);
}
