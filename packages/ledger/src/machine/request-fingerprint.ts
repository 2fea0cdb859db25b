import { createHash } from 'node:crypto';
import { f64, u16, u32 } from './cells.ts';
import { HALF, TRANSFER_HALVES } from './transfer-record.ts';

export const KEY_BYTES = 8;

/** In 16-bit words, which are what is multiplied. */
const FIRST = 2 * HALF.debit;
const WORDS = 2 * TRANSFER_HALVES - FIRST;
const SIGNER = WORDS;
const FACTORS = WORDS + 2;
/** 2^31 − 1, a prime: 34 products of 16 and 31 bits add up to less than 2^53, so doubles are exact. */
const PRIME = 0x7fff_ffff;

/**
 * 62 bits that stand for a whole request: all fields of a record but its id, and who signed it. Keyed, as
 * callers choose the fields: whoever knew two requests of one fingerprint would be told that the second was
 * done, which was only the first. Two sums of words times secret factors, modulo a prime (Carter and Wegman,
 * Universal Classes of Hash Functions, 1979): without the key, two requests meet with a chance of 2^-62.
 */
export class RequestFingerprint {
  /** Of the record that was taken last. */
  first = 0;
  second = 0;
  readonly #firstFactors: Float64Array;
  readonly #secondFactors: Float64Array;

  constructor(key: Uint8Array) {
    const factors = factorsOf(key);
    this.#firstFactors = factors.slice(0, FACTORS);
    this.#secondFactors = factors.slice(FACTORS);
  }

  /** Of the record that begins at `base`. */
  take(quarters: Uint16Array, base: number, signer: number): void {
    const [one, two] = [this.#firstFactors, this.#secondFactors];
    const [low, high] = [signer & 0xffff, signer >>> 16];
    let first = low * f64(one, SIGNER);
    let second = low * f64(two, SIGNER);
    let otherFirst = high * f64(one, SIGNER + 1);
    let otherSecond = high * f64(two, SIGNER + 1);
    // Two by two: no addition waits for the one before.
    for (let word = 0; word < WORDS; word += 2) {
      const even = u16(quarters, base + FIRST + word);
      const odd = u16(quarters, base + FIRST + word + 1);
      first += even * f64(one, word);
      second += even * f64(two, word);
      otherFirst += odd * f64(one, word + 1);
      otherSecond += odd * f64(two, word + 1);
    }
    this.first = remainder(first + otherFirst);
    this.second = remainder(second + otherSecond);
  }
}

/** @param seed a whole number below 2^53, of which all bits count. */
export function fingerprintKey(seed: number): Uint8Array<ArrayBuffer> {
  const key = new Uint8Array(KEY_BYTES);
  new DataView(key.buffer).setBigInt64(0, BigInt(seed), true);
  return key;
}

/** Faster than `%`. A rounded quotient may give −1 for the largest remainder: as good, as it always does. */
function remainder(sum: number): number {
  return (sum - Math.floor(sum / PRIME) * PRIME) >>> 0;
}

/** Stored fingerprints depend on these: they never change for a key. */
function factorsOf(key: Uint8Array): Float64Array {
  const bytes = createHash('shake256', { outputLength: 8 * FACTORS })
    .update(key)
    .digest();
  const words = new Uint32Array(Uint8Array.from(bytes).buffer);
  return Float64Array.from({ length: 2 * FACTORS }, (_, index) => u32(words, index) % PRIME);
}
