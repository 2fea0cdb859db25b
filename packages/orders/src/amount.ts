import { RATE_SCALE } from '@clawbernetes/kernel';
import { check, refuse } from './order-result.ts';

/** Amounts and balances are below this. */
const TOO_LARGE = 1n << 63n;

/**
 * Longest number that is looked at: 2^128 has 39 digits, and is refused as too large rather than as no
 * number.
 */
const BASE_UNITS = /^(?:0|[1-9][0-9]{0,63})$/;

/**
 * An amount of base units, above zero. Refuses with `amount-malformed`, `amount-zero`, `amount-too-large`.
 */
export function readAmount(value: unknown): bigint {
  const amount = readAmountOrZero(value);
  check(amount > 0n, 'amount-zero');
  return amount;
}

/** Refuses with `amount-malformed`, `amount-too-large`. */
export function readAmountOrZero(value: unknown): bigint {
  const amount = readWhole(value);
  check(amount < TOO_LARGE, 'amount-too-large');
  return amount;
}

/** Base units a second, times RATE_SCALE. Refuses as amounts are refused. */
export function readRate(value: unknown): bigint {
  const rate = readWhole(value);
  check(rate > 0n, 'amount-zero');
  check(rate < TOO_LARGE * RATE_SCALE, 'amount-too-large');
  return rate;
}

function readWhole(value: unknown): bigint {
  if (typeof value !== 'string' || !BASE_UNITS.test(value)) refuse('amount-malformed');
  return BigInt(value);
}
