/** Randomness as a dependency, so that a simulator can replay it from a seed. */
export interface Random {
  /** `length` bytes; from `systemRandom` they are fit for keys and tokens. */
  bytes(length: number): Uint8Array;
  /** A number in [0, 1). */
  fraction(): number;
}

/** Up to so many bytes come out of a block: an id, but no key. */
const MAX_POOLED_BYTES = 8;
const BLOCK_BYTES = 4096;

/**
 * The platform's cryptographic generator. It costs microseconds a call, whatever the length, so short draws
 * share one; each byte of a block is given out once and wiped as it goes, and longer draws, keys among them,
 * never lie in a block.
 */
class SystemRandom implements Random {
  readonly #block = new Uint8Array(BLOCK_BYTES);
  #used = BLOCK_BYTES;

  bytes(length: number): Uint8Array {
    if (length > MAX_POOLED_BYTES) return crypto.getRandomValues(new Uint8Array(length));
    if (this.#used + length > BLOCK_BYTES) this.#refill();
    const end = this.#used + length;
    const drawn = this.#block.slice(this.#used, end);
    this.#block.fill(0, this.#used, end);
    this.#used = end;
    return drawn;
  }

  fraction(): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.bytes(4);
    return (((a << 24) | (b << 16) | (c << 8) | d) >>> 0) / 2 ** 32;
  }

  #refill(): void {
    crypto.getRandomValues(this.#block);
    this.#used = 0;
  }
}

export const systemRandom: Random = new SystemRandom();

/**
 * A reproducible generator for simulation and tests: xoshiro128** (Blackman and Vigna, 2018) seeded by
 * splitmix32. Never for keys.
 */
export function seededRandom(seed: number): Random {
  const state = new Uint32Array(4).map(splitmix32(seed));
  const next = (): number => {
    const [a = 0, b = 0, c = 0, d = 0] = state;
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
    state[2] = c ^ a;
    state[3] = d ^ b;
    state[1] = b ^ state[2];
    state[0] = a ^ state[3];
    state[2] ^= b << 9;
    state[3] = rotateLeft(state[3], 11);
    return result;
  };
  return {
    bytes: (length) => Uint8Array.from({ length }, () => next() & 0xff),
    fraction: () => next() / 2 ** 32,
  };
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

function splitmix32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let word = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
    return (word ^ (word >>> 15)) >>> 0;
  };
}
