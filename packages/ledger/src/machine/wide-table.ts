import { assert } from '@clawbernetes/kernel';
import { sharedWords, u32 } from './cells.ts';

/** Words of an entry: four of the key, four of the caller's. */
const STRIDE = 8;
const SMALLEST = 1024;

/**
 * A hash table from 128-bit keys to four 32-bit words, in two typed arrays: entries in the order of their
 * insertion, and slots of 8 bytes (hash, number of the entry) with linear probing. Only the slots are reached
 * at random, and they are few enough to stay in a processor's cache where whole entries would not. No object
 * per entry, no limit at 2^24 entries as of a Map. Keys are not zero. The seed keeps callers, who choose the
 * keys, from choosing collisions; nothing that can be seen depends on it.
 */
export class WideTable {
  readonly #seed: number;
  /** Shared, so that another thread can read them where they lie. */
  #entries: Uint32Array<SharedArrayBuffer>;
  /** Hash, then number of the entry plus one; zero while it is free. */
  #slots: Uint32Array;
  #mask: number;
  #size = 0;
  /** What `touch` read: kept, or it would be optimized away. */
  touched = 0;

  /** @param expected entries that it takes without growing. */
  constructor(seed: number, expected = 0) {
    let capacity = 2 * SMALLEST;
    while (capacity < 2 * expected) capacity *= 2;
    this.#seed = seed | 1;
    this.#entries = sharedWords(Math.max(SMALLEST, expected) * STRIDE);
    this.#slots = new Uint32Array(2 * capacity);
    this.#mask = capacity - 1;
  }

  get size(): number {
    return this.#size;
  }

  /** The place of the key whose four words are at `at`, or the complement (`~`) of where it would go. */
  find(words: Uint32Array, at: number): number {
    const [slots, entries, mask] = [this.#slots, this.#entries, this.#mask];
    const hash = this.#hash(u32(words, at), u32(words, at + 1), u32(words, at + 2), u32(words, at + 3));
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const number = u32(slots, 2 * slot + 1);
      if (number === 0) return ~slot;
      if (u32(slots, 2 * slot) !== hash) continue;
      const place = (number - 1) * STRIDE;
      if (
        u32(entries, place) === u32(words, at) &&
        u32(entries, place + 1) === u32(words, at + 1) &&
        u32(entries, place + 2) === u32(words, at + 2) &&
        u32(entries, place + 3) === u32(words, at + 3)
      )
        return place;
    }
  }

  /**
   * Reads where keys would be found, from `at` on every `stride` words: these reads do not wait for each
   * other, as those of one lookup after another would, and what they bring into the processor's cache is
   * there when it is looked up.
   */
  touch(words: Uint32Array, at: number, stride: number): void {
    const [slots, entries, mask] = [this.#slots, this.#entries, this.#mask];
    let seen = 0;
    for (let key = at; key < words.length; key += stride) {
      const [a, b, c, d] = [u32(words, key), u32(words, key + 1), u32(words, key + 2), u32(words, key + 3)];
      const number = u32(slots, 2 * (this.#hash(a, b, c, d) & mask) + 1);
      seen ^= number === 0 ? 0 : u32(entries, (number - 1) * STRIDE);
    }
    this.touched = seen;
  }

  /** Adds the key whose words are at `at`; `free` is what `find` answered just now. Answers its place. */
  insert(free: number, words: Uint32Array, at: number): number {
    assert(free < 0, 'a key is inserted once');
    let slot = ~free;
    if (2 * (this.#size + 1) > this.#mask + 1) {
      this.#grow();
      slot = ~this.find(words, at);
    }
    const place = this.#size * STRIDE;
    if (place >= this.#entries.length) this.#lengthen();
    for (let word = 0; word < 4; word += 1) this.#entries[place + word] = u32(words, at + word);
    this.#size += 1;
    this.#slots[2 * slot] = this.#hash(
      u32(words, at),
      u32(words, at + 1),
      u32(words, at + 2),
      u32(words, at + 3),
    );
    this.#slots[2 * slot + 1] = this.#size;
    return place;
  }

  /** One of the caller's four words at a place. */
  value(place: number, word: 0 | 1 | 2 | 3): number {
    return u32(this.#entries, place + 4 + word);
  }

  set(place: number, word: 0 | 1 | 2 | 3, value: number): void {
    this.#entries[place + 4 + word] = value;
  }

  /** The key at a place and the caller's words, eight in all: a view that holds until the next insertion. */
  entry(place: number): Uint32Array {
    return this.#entries.subarray(place, place + STRIDE);
  }

  /** All places, in the order of insertion. */
  *places(): Generator<number, void, undefined> {
    for (let place = 0; place < this.#size * STRIDE; place += STRIDE) yield place;
  }

  /** All entries in the order of their insertion, eight words each: a view, as of `entry`. */
  get entries(): Uint32Array<SharedArrayBuffer> {
    return this.#entries.subarray(0, this.#size * STRIDE);
  }

  /** Forgets all entries, and keeps the memory: fresh memory costs more than what is done with it. */
  clear(): void {
    this.#slots.fill(0);
    this.#size = 0;
  }

  #hash(a: number, b: number, c: number, d: number): number {
    let hash = this.#seed ^ Math.imul(a, 0x9e3779b1);
    hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b) ^ b;
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35) ^ c;
    hash = Math.imul(hash ^ (hash >>> 16), 0x27d4eb2f) ^ d;
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    return (hash ^ (hash >>> 13)) >>> 0;
  }

  #grow(): void {
    const old = this.#slots;
    this.#mask = this.#mask * 2 + 1;
    const slots = new Uint32Array(old.length * 2);
    for (let from = 0; from < old.length; from += 2) {
      if (u32(old, from + 1) === 0) continue;
      let slot = u32(old, from) & this.#mask;
      while (u32(slots, 2 * slot + 1) !== 0) slot = (slot + 1) & this.#mask;
      slots[2 * slot] = u32(old, from);
      slots[2 * slot + 1] = u32(old, from + 1);
    }
    this.#slots = slots;
  }

  #lengthen(): void {
    const longer = sharedWords(this.#entries.length * 2);
    longer.set(this.#entries);
    this.#entries = longer;
  }
}
