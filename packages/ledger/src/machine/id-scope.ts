import { u32 } from './cells.ts';

/** Least significant bits of the signer's part and of the time. */
const [SCOPE_BIT, TIME_BIT] = [16n, 80n];
/** Ids that one signer can make for one ms. */
export const IDS_PER_MS = 65_536;

/**
 * The middle of all ids that a signer may use: the first 64 bits of his public key, in bits 16–79. So nobody
 * uses up an id that somebody else has shown or could guess. Whoever wants the ids of another has to find a
 * key that begins alike, which takes some 2^64 tries; of 48 bits, a GPU would find one in days.
 */
export interface IdScope {
  /** Bits 16–31, 32–63 and 64–79. */
  readonly low: number;
  readonly middle: number;
  readonly high: number;
}

export function idScope(signer: Uint8Array): IdScope {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = signer;
  return { high: (a << 8) | b, middle: ((c << 24) | (d << 16) | (e << 8) | f) >>> 0, low: (g << 8) | h };
}

/** Whether the id that begins at `at` is one of a signer's own. */
export function isInScope(halves: Uint32Array, at: number, { low, middle, high }: IdScope): boolean {
  return (
    u32(halves, at + 1) === middle &&
    u32(halves, at) >>> 16 === low &&
    (u32(halves, at + 2) & 0xffff) === high
  );
}

/**
 * An id of a signer's own: 48 bits of time, 64 of his key, and 16 of his choice.
 * @param madeAtMs ms since 1970; not more than a minute ahead of the ledger.
 * @param number below 65,536, which tells his ids of one ms apart. @throws RangeError.
 */
export function signerId(madeAtMs: number, signer: Uint8Array, number: number): bigint {
  if (!Number.isInteger(number) || number < 0 || number >= IDS_PER_MS)
    throw new RangeError(`${number} is not below ${IDS_PER_MS}.`);
  return (BigInt(madeAtMs) << TIME_BIT) | scopeBits(signer) | BigInt(number);
}

/** Makes a signer's ids, which rise. */
export class SignerIds {
  readonly #scope: bigint;
  #madeAtMs = 0;
  #number = 0;

  constructor(signer: Uint8Array) {
    this.#scope = scopeBits(signer);
  }

  /** A new one. Where one ms has too few, those of the next are taken, so ask for no more in the long run. */
  next(nowMs: number): bigint {
    this.#number += 1;
    if (nowMs > this.#madeAtMs || this.#number === IDS_PER_MS) {
      this.#madeAtMs = Math.max(nowMs, this.#madeAtMs + 1);
      this.#number = 0;
    }
    return (BigInt(this.#madeAtMs) << TIME_BIT) | this.#scope | BigInt(this.#number);
  }
}

function scopeBits(signer: Uint8Array): bigint {
  const { low, middle, high } = idScope(signer);
  return ((BigInt(high) << 48n) | (BigInt(middle) << 16n) | BigInt(low)) << SCOPE_BIT;
}
