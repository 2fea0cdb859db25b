import { parseKeyName } from '@clawbernetes/identity';
import type { Random } from '@clawbernetes/kernel';

const ID_TIME_DIGITS = 12;
const KEY_BYTES = 8;
const RANDOM_BYTES = 2;

/**
 * A new id for an escrow, a withdrawal or the like: 48 bits of time, ms since 1970; the first 64 of the key
 * of its owner, so that nobody else can use it up; and 16 of chance; as 32 hexadecimal digits. The ledger
 * takes ids made within the last 24 hours, each once, from orders that their owner signs.
 * @throws CodedError `invalid-key-name` for an owner that is no address.
 */
export function newOrderId(timeMs: number, random: Random, owner: string): string {
  const bytes = [...parseKeyName(owner).subarray(0, KEY_BYTES), ...random.bytes(RANDOM_BYTES)];
  const digits = bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return timeMs.toString(16).padStart(ID_TIME_DIGITS, '0') + digits;
}

/** A nonce that rises with time: µs since 1970, the last three digits by chance. Below 2^53 until 2255. */
export function newNonce(timeMs: number, random: Random): number {
  return timeMs * 1000 + Math.floor(random.fraction() * 1000);
}
