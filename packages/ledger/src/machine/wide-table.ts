import { assert } from '@clawbernetes/kernel';
import { u32 } from './cells.ts';

/** Words of an entry: four of the key, four of the caller's. Half a cache line, so a lookup is one miss. */
const STRIDE = 8;
const SMALLEST = 1024;
/** In eighths: beyond, the table doubles. */
const MOST_LOAD = 5;

/**
 * A hash table from 128-bit keys to four 32-bit words, by linear probing in one typed array: no object per
 * entry, no limit at 2^24 entries as of a Map. Keys are not zero. The seed keeps callers, who choose the
 * keys, from choosing collisions; nothing that can be seen depends on it.
 */
export class WideTable {
  readonly #seed: number;
  #cells: Uint32Array<ArrayBuffer>;
  #mask: number;
  #size = 0;

  /** @param expected entries that it takes without growing. */
  constructor(seed: number, expected = 0) {
    let capacity = SMALLEST;
    while (capacity * MOST_LOAD < expected * 8) capacity *= 2;
    this.#seed = seed | 1;
    this.#cells = new Uint32Array(capacity * STRIDE);
    this.#mask = capacity - 1;
  }

  get size(): number {
    return this.#size;
  }

  /** Entries that there is room for; entry n is at place 8 × n. */
  get capacity(): number {
    return this.#mask + 1;
  }

  /** The place of the key whose four words are at `at`, or the complement (`~`) of where it would go. */
  find(words: Uint32Array, at: number): number {
    const [a, b, c, d] = [u32(words, at), u32(words, at + 1), u32(words, at + 2), u32(words, at + 3)];
    const cells = this.#cells;
    for (let slot = this.#hash(a, b, c, d) & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const place = slot * STRIDE;
      const first = u32(cells, place);
      const second = u32(cells, place + 1);
      const third = u32(cells, place + 2);
      const fourth = u32(cells, place + 3);
      if (first === a && second === b && third === c && fourth === d) return place;
      if ((first | second | third | fourth) === 0) return ~place;
    }
  }

  /** Adds the key whose words are at `at`; `free` is what `find` answered just now. Answers its place. */
  insert(free: number, words: Uint32Array, at: number): number {
    assert(free < 0, 'a key is inserted once');
    let place = ~free;
    if ((this.#size + 1) * 8 > (this.#mask + 1) * MOST_LOAD) {
      this.#grow();
      place = ~this.find(words, at);
    }
    for (let word = 0; word < 4; word += 1) this.#cells[place + word] = u32(words, at + word);
    this.#size += 1;
    return place;
  }

  /** One of the caller's four words at a place. Places move when a key is inserted. */
  value(place: number, word: 0 | 1 | 2 | 3): number {
    return u32(this.#cells, place + 4 + word);
  }

  set(place: number, word: 0 | 1 | 2 | 3, value: number): void {
    this.#cells[place + 4 + word] = value;
  }

  /** All places that are taken, in no order that means anything. */
  *places(): Generator<number, void, undefined> {
    const cells = this.#cells;
    for (let place = 0; place < cells.length; place += STRIDE) {
      const key = u32(cells, place) | u32(cells, place + 1) | u32(cells, place + 2) | u32(cells, place + 3);
      if (key !== 0) yield place;
    }
  }

  /** Key and value of a place, eight words: a view that holds until the next insertion. */
  entry(place: number): Uint32Array {
    return this.#cells.subarray(place, place + STRIDE);
  }

  #hash(a: number, b: number, c: number, d: number): number {
    let hash = this.#seed ^ Math.imul(a, 0x9e3779b1);
    hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b) ^ b;
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35) ^ c;
    hash = Math.imul(hash ^ (hash >>> 16), 0x27d4eb2f) ^ d;
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    return hash ^ (hash >>> 13);
  }

  #grow(): void {
    const old = this.#cells;
    this.#cells = new Uint32Array(old.length * 2);
    this.#mask = this.#mask * 2 + 1;
    for (let place = 0; place < old.length; place += STRIDE) {
      if ((u32(old, place) | u32(old, place + 1) | u32(old, place + 2) | u32(old, place + 3)) === 0) continue;
      this.#cells.set(old.subarray(place, place + STRIDE), ~this.find(old, place));
    }
  }
}
