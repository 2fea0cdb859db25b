import { InvalidArgumentError } from 'commander';
import { errorMessage } from '@clawbernetes/kernel';
import { readMolt, readMoltOrZero } from '../commands/molt/molt-amount.ts';
import { readRate } from '../commands/molt/rate.ts';

/** Base units of `12.5`. */
export function moltAmount(text: string): bigint {
  return parsed(readMolt, text);
}

/** Base units of `12.5`, or of `0`. */
export function moltAmountOrZero(text: string): bigint {
  return parsed(readMoltOrZero, text);
}

/** Base units a second, times 10¹⁸, of `1.5/h`. */
export function moltRate(text: string): bigint {
  return parsed(readRate, text);
}

/** Of what was sent or received. */
export function byteCount(text: string): bigint {
  if (/^(0|[1-9][0-9]{0,17})$/.test(text)) return BigInt(text);
  throw new InvalidArgumentError('Write a whole number of bytes.');
}

/** SHA-256 in hexadecimal. */
export function sha256(text: string): string {
  if (/^[0-9a-f]{64}$/.test(text)) return text;
  throw new InvalidArgumentError('Write a SHA-256 of 64 lower-case hexadecimal digits.');
}

/** A year of four digits. */
export function year(text: string): number {
  if (/^(19[7-9]|20\d)\d$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Write a year, such as 2026.');
}

/** Id of an escrow or a withdrawal. */
export function orderId(text: string): string {
  if (/^[0-9a-f]{32}$/.test(text)) return text;
  throw new InvalidArgumentError('Write an id of 32 lower-case hexadecimal digits.');
}

function parsed(read: (text: string) => bigint, text: string): bigint {
  try {
    return read(text);
  } catch (error) {
    throw new InvalidArgumentError(errorMessage(error));
  }
}
