import { check, refuse } from './order-result.ts';

/** Base units of one token: 9 decimals. */
export const MOLT = 1_000_000_000n;
export const MOLT_DECIMALS = 9;
/** Amounts and balances are below this. */
export const TOO_LARGE = 1n << 63n;
/** Rates are base units a second, times this. */
export const RATE_SCALE = 10n ** 18n;

/**
 * Longest number that is looked at: 2^128 has 39 digits, and is refused as too large rather than as no
 * number.
 */
const BASE_UNITS = /^(?:0|[1-9][0-9]{0,63})$/;
const TOKENS = /^(0|[1-9][0-9]{0,63})(?:\.([0-9]{1,9}))?$/;

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

/** Base units of what people write, such as `1.5`; undefined unless it is exactly an amount. */
export function parseMolt(text: string): bigint | undefined {
  const match = TOKENS.exec(text);
  if (!match) return undefined;
  const [, whole = '', fraction = ''] = match;
  const amount = BigInt(whole) * MOLT + BigInt(fraction.padEnd(MOLT_DECIMALS, '0'));
  return amount < TOO_LARGE ? amount : undefined;
}

/** As people read it, exactly: `1.5`, `-0.000000001`. */
export function formatMolt(amount: bigint): string {
  const size = amount < 0n ? -amount : amount;
  const fraction = (size % MOLT).toString().padStart(MOLT_DECIMALS, '0').replace(/0+$/, '');
  return `${amount < 0n ? '-' : ''}${size / MOLT}${fraction === '' ? '' : `.${fraction}`}`;
}

function readWhole(value: unknown): bigint {
  if (typeof value !== 'string' || !BASE_UNITS.test(value)) refuse('amount-malformed');
  return BigInt(value);
}
