import { formatMolt, MOLT_DECIMALS, parseMolt } from '@clawbernetes/kernel';
import { invalidArguments } from '../../errors.ts';

/** Base units of an amount above zero, as typed. @throws CodedError `invalid-arguments`. */
export function readMolt(text: string): bigint {
  const amount = readMoltOrZero(text);
  if (amount > 0n) return amount;
  throw invalidArguments(`"${text}" is nothing. Write an amount above 0, such as 0.5.`);
}

/** @throws CodedError `invalid-arguments`. */
export function readMoltOrZero(text: string): bigint {
  const amount = parseMolt(text);
  if (amount !== undefined) return amount;
  throw invalidArguments(`"${text.slice(0, 80)}" ${fault(text)}`);
}

function fault(text: string): string {
  if (/^-\d/.test(text)) return 'is negative. Write an amount above 0, such as 0.5.';
  if (/^\d+\.\d{10,}$/.test(text))
    return `has more than ${MOLT_DECIMALS} decimals. The least there is, is 0.000000001 MOLT.`;
  if (/^(0|[1-9]\d*)(\.\d+)?$/.test(text))
    return 'is more than a ledger can hold. Write less than 9223372036.854775808.';
  return 'is not an amount. Write it in the digits 0–9 with a point, such as 12.5.';
}

/** Base units of the API as people read them: `12.5 MOLT`. */
export function moltText(baseUnits: string | bigint): string {
  return `${formatMolt(BigInt(baseUnits))} MOLT`;
}

/** Amounts of one column, without their unit: decimal points below each other. */
export function alignedMolt(baseUnits: readonly string[]): readonly string[] {
  const parts = baseUnits.map((amount) => formatMolt(BigInt(amount)).split('.'));
  const width = Math.max(0, ...parts.map(([whole = '']) => whole.length));
  return parts.map(([whole = '', fraction]) =>
    [whole.padStart(width), ...(fraction ? [fraction] : [])].join('.'),
  );
}

/** A fee in basis points: `2.5 %`. */
export function percentText(basisPoints: number): string {
  return `${basisPoints / 100} %`;
}
