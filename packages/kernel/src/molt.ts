/** Base units of one token: 9 decimals. */
export const MOLT = 1_000_000_000n;
export const MOLT_DECIMALS = 9;
/** Rates are base units a second, times this. */
export const RATE_SCALE = 10n ** 18n;

/** Amounts and balances are below this. */
const TOO_LARGE = 1n << 63n;
const TOKENS = /^(0|[1-9][0-9]{0,63})(?:\.([0-9]{1,9}))?$/;

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
