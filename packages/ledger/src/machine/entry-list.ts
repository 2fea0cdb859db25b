import { sharedWords, u32 } from './cells.ts';
import { ENTRY_STRIDE } from './slot-index.ts';

const SMALLEST = 1024;

/**
 * Entries of a key of 128 bits and four words of the caller's, in the order of their insertion, in one typed
 * array: no object per entry, no limit at 2^24 entries as of a Map.
 */
export class EntryList {
  /** Shared, so that another thread can read them where they lie. */
  #words: Uint32Array<SharedArrayBuffer>;
  #size = 0;

  constructor(expected: number) {
    this.#words = sharedWords(Math.max(SMALLEST, expected) * ENTRY_STRIDE);
  }

  get size(): number {
    return this.#size;
  }

  /** All words that there is room for; only those of the first `size` entries say something. */
  get words(): Uint32Array<SharedArrayBuffer> {
    return this.#words;
  }

  /** Adds the key at `at`; answers the place of its entry. */
  push(words: Uint32Array, at: number): number {
    const place = this.#size * ENTRY_STRIDE;
    if (place >= this.#words.length) this.#lengthen();
    for (let word = 0; word < 4; word += 1) this.#words[place + word] = u32(words, at + word);
    this.#size += 1;
    return place;
  }

  /** One of the caller's four words at a place. */
  value(place: number, word: 0 | 1 | 2 | 3): number {
    return u32(this.#words, place + 4 + word);
  }

  set(place: number, word: 0 | 1 | 2 | 3, value: number): void {
    this.#words[place + 4 + word] = value;
  }

  /** The key at a place and the caller's words, eight in all: a view that holds until the next `push`. */
  entry(place: number): Uint32Array {
    return this.#words.subarray(place, place + ENTRY_STRIDE);
  }

  /** All places, in the order of insertion. */
  *places(): Generator<number, void, undefined> {
    for (let place = 0; place < this.#size * ENTRY_STRIDE; place += ENTRY_STRIDE) yield place;
  }

  /** All entries in the order of their insertion, eight words each: a view, as of `entry`. */
  get entries(): Uint32Array<SharedArrayBuffer> {
    return this.#words.subarray(0, this.#size * ENTRY_STRIDE);
  }

  /** Forgets all entries, and keeps the memory. */
  clear(): void {
    this.#size = 0;
  }

  #lengthen(): void {
    const longer = sharedWords(this.#words.length * 2);
    longer.set(this.#words);
    this.#words = longer;
  }
}
