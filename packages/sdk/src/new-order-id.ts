import type { Random } from '@clawbernetes/kernel';

const ID_TIME_DIGITS = 12;
const RANDOM_BYTES = 10;

/**
 * A new id for an escrow, a withdrawal or the like: 48 bits of time, ms since 1970, and 80 of chance, as 32
 * hexadecimal digits. The ledger takes ids made within the last 24 hours, each once.
 */
export function newOrderId(timeMs: number, random: Random): string {
  const chance = Array.from(random.bytes(RANDOM_BYTES), (byte) => byte.toString(16).padStart(2, '0'));
  return timeMs.toString(16).padStart(ID_TIME_DIGITS, '0') + chance.join('');
}

/** A nonce that rises with time: µs since 1970, the last three digits by chance. Below 2^53 until 2255. */
export function newNonce(timeMs: number, random: Random): number {
  return timeMs * 1000 + Math.floor(random.fraction() * 1000);
}
