import { u32 } from './cells.ts';
import { HALF, TRANSFER_HALVES } from './transfer-record.ts';

export const KEY_BYTES = 8;

/** One round per word and three after the last, twice for two words of output. */
const SIGNER = TRANSFER_HALVES - HALF.debit;
const FIRST_END = SIGNER + 1;
const SECOND_END = FIRST_END + 3;
const ROUNDS = SECOND_END + 3;

/**
 * 64 bits that stand for a whole request: all fields of a record but its id, and who signed it. Keyed, as
 * callers choose the fields: whoever knew two requests of one fingerprint would be told that the second was
 * done, which was only the first. HalfSipHash-1-3 (Aumasson and Bernstein, SipHash, 2012).
 */
export class RequestFingerprint {
  /** Of the record that was taken last. */
  first = 0;
  second = 0;
  readonly #low: number;
  readonly #high: number;

  constructor(key: Uint8Array) {
    const view = new DataView(key.buffer, key.byteOffset, KEY_BYTES);
    this.#low = view.getInt32(0, true);
    this.#high = view.getInt32(4, true);
  }

  /** Of the record that begins at `base`. */
  take(halves: Uint32Array, base: number, signer: number): void {
    let v0 = this.#low;
    let v1 = this.#high ^ 0xee;
    let v2 = 0x6c796765 ^ this.#low;
    let v3 = 0x74656462 ^ this.#high;
    for (let round = 0; round < ROUNDS; round += 1) {
      let word = 0;
      if (round < SIGNER) word = u32(halves, base + HALF.debit + round);
      else if (round === SIGNER) word = signer;
      else if (round === FIRST_END) v2 ^= 0xee;
      else if (round === SECOND_END) {
        this.first = (v1 ^ v3) >>> 0;
        v1 ^= 0xdd;
      }
      v3 ^= word;
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= word;
    }
    this.second = (v1 ^ v3) >>> 0;
  }
}

/** @param seed a whole number below 2^53, of which all bits count. */
export function fingerprintKey(seed: number): Uint8Array<ArrayBuffer> {
  const key = new Uint8Array(KEY_BYTES);
  new DataView(key.buffer).setBigInt64(0, BigInt(seed), true);
  return key;
}
