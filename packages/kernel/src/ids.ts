import type { Clock } from './clock.ts';
import type { Random } from './random.ts';

declare const brand: unique symbol;
/** A string that the compiler keeps apart from other strings. */
export type Brand<Name extends string> = string & { readonly [brand]: Name };

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** Lower-case Crockford base 32 (no i, l, o, u) of `bytes`, most significant bit first, unpadded. */
export function encodeBase32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let word = 0;
  for (const byte of bytes) {
    word = ((word << 8) | byte) & 0xffff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET.charAt((word >>> bits) & 31);
    }
  }
  return bits > 0 ? text + ALPHABET.charAt((word << (5 - bits)) & 31) : text;
}

/**
 * A new id: `<prefix>-<time><random>`, 10 characters of milliseconds and 10 of randomness (50 bits), in the
 * manner of ULID: ids made later sort later.
 */
export function newId<Name extends string>(prefix: string, clock: Clock, random: Random): Brand<Name> {
  const time = encodeTime(clock.nowMs());
  return `${prefix}-${time}${encodeBase32(random.bytes(7)).slice(0, 10)}` as Brand<Name>;
}

/** Ten characters, 50 bits, in halves that are small integers. */
function encodeTime(timeMs: number): string {
  const high = Math.floor(timeMs / 2 ** 25);
  return encodeHalf(high) + encodeHalf(timeMs - high * 2 ** 25);
}

function encodeHalf(bits25: number): string {
  return (
    ALPHABET.charAt((bits25 >>> 20) & 31) +
    ALPHABET.charAt((bits25 >>> 15) & 31) +
    ALPHABET.charAt((bits25 >>> 10) & 31) +
    ALPHABET.charAt((bits25 >>> 5) & 31) +
    ALPHABET.charAt(bits25 & 31)
  );
}
