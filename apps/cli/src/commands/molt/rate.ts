import { formatMolt, parseMolt, RATE_SCALE } from '@clawbernetes/kernel';
import { invalidArguments } from '../../errors.ts';

const UNIT_SECONDS = { s: 1n, min: 60n, h: 3600n, d: 86_400n } as const;
const HOUR_SECONDS = UNIT_SECONDS.h;

/**
 * A price per time as people write it, `1.5/h`: base units a second, times 10¹⁸, rounded up, so that an hour
 * costs exactly what was written. @throws CodedError `invalid-arguments`.
 */
export function readRate(text: string): bigint {
  const [, amount = '', unit] = /^(.+)\/(s|min|h|d)$/.exec(text) ?? [];
  const price = parseMolt(amount);
  if (price === undefined || price === 0n || unit === undefined)
    throw invalidArguments(
      `"${text.slice(0, 80)}" is not a price. Write tokens above 0 per s, min, h or d, such as 1.5/h.`,
    );
  const seconds = UNIT_SECONDS[unit as keyof typeof UNIT_SECONDS];
  return (price * RATE_SCALE + seconds - 1n) / seconds;
}

/** By the hour; `≈` where that is no whole number of base units. */
export function rateText(rate: string | bigint): string {
  const perHour = (BigInt(rate) * HOUR_SECONDS) / RATE_SCALE;
  const isExact = (perHour * RATE_SCALE + HOUR_SECONDS - 1n) / HOUR_SECONDS === BigInt(rate);
  return `${isExact ? '' : '≈ '}${formatMolt(perHour)} MOLT/h`;
}
