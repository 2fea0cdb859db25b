import { u32 } from './cells.ts';

/** Words of an entry: four of the key, four of the caller's. */
export const ENTRY_STRIDE = 8;

/**
 * Finds entries by their keys of 128 bits: a hash table of slots of 8 bytes (hash, number of the entry plus
 * one), with linear probing. Entries lie elsewhere, in the order of their insertion, so that only the slots
 * are reached at random. Keys are not zero. The seed keeps callers, who choose the keys, from choosing
 * collisions; nothing that can be seen depends on it.
 */
export class SlotIndex {
  readonly #seed: number;
  #slots: Uint32Array;
  #mask: number;
  #size = 0;

  /** @param expected entries that it takes without growing. */
  constructor(seed: number, expected: number) {
    let capacity = 1024;
    while (capacity < 2 * expected) capacity *= 2;
    this.#seed = seed | 1;
    this.#slots = new Uint32Array(2 * capacity);
    this.#mask = capacity - 1;
  }

  get size(): number {
    return this.#size;
  }

  /** Where the entry of the key at `at` (four words) is, or the complement (`~`) of where it would go. */
  find(entries: Uint32Array, words: Uint32Array, at: number): number {
    const [slots, mask] = [this.#slots, this.#mask];
    const hash = this.#hash(words, at);
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const number = u32(slots, 2 * slot + 1);
      if (number === 0) return ~slot;
      if (u32(slots, 2 * slot) !== hash) continue;
      const place = (number - 1) * ENTRY_STRIDE;
      if (
        u32(entries, place) === u32(words, at) &&
        u32(entries, place + 1) === u32(words, at + 1) &&
        u32(entries, place + 2) === u32(words, at + 2) &&
        u32(entries, place + 3) === u32(words, at + 3)
      )
        return place;
    }
  }

  /** Reads what `find` would read first, and answers a part of it. */
  peek(entries: Uint32Array, words: Uint32Array, at: number): number {
    const number = u32(this.#slots, 2 * (this.#hash(words, at) & this.#mask) + 1);
    return number === 0 ? 0 : u32(entries, (number - 1) * ENTRY_STRIDE);
  }

  /** Leads the key at `at` to the entry at `place`; `free` is what `find` answered just now. */
  add(free: number, words: Uint32Array, at: number, place: number): void {
    const hash = this.#hash(words, at);
    const isFull = 2 * (this.#size + 1) > this.#mask + 1;
    if (isFull) this.#grow();
    const slot = isFull ? this.#freeSlot(this.#slots, hash) : ~free;
    this.#put(this.#slots, slot, hash, place / ENTRY_STRIDE + 1);
    this.#size += 1;
  }

  /** Leads to every entry of another index that `isWanted`; the other one stays as it is. */
  addFrom(other: SlotIndex, isWanted: (place: number) => boolean): void {
    const slots = other.#slots;
    for (let at = 0; at < slots.length; at += 2) {
      const number = u32(slots, at + 1);
      if (number === 0 || !isWanted((number - 1) * ENTRY_STRIDE)) continue;
      if (2 * (this.#size + 1) > this.#mask + 1) this.#grow();
      const hash = u32(slots, at);
      this.#put(this.#slots, this.#freeSlot(this.#slots, hash), hash, number);
      this.#size += 1;
    }
  }

  /** Forgets all, and keeps the memory: fresh memory costs more than what is done with it. */
  clear(): void {
    this.#slots.fill(0);
    this.#size = 0;
  }

  #put(slots: Uint32Array, slot: number, hash: number, number: number): void {
    slots[2 * slot] = hash;
    slots[2 * slot + 1] = number;
  }

  #freeSlot(slots: Uint32Array, hash: number): number {
    let slot = hash & this.#mask;
    while (u32(slots, 2 * slot + 1) !== 0) slot = (slot + 1) & this.#mask;
    return slot;
  }

  #grow(): void {
    const old = this.#slots;
    this.#mask = this.#mask * 2 + 1;
    const slots = new Uint32Array(old.length * 2);
    for (let from = 0; from < old.length; from += 2) {
      if (u32(old, from + 1) === 0) continue;
      const hash = u32(old, from);
      this.#put(slots, this.#freeSlot(slots, hash), hash, u32(old, from + 1));
    }
    this.#slots = slots;
  }

  #hash(words: Uint32Array, at: number): number {
    let hash = this.#seed ^ Math.imul(u32(words, at), 0x9e3779b1);
    hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b) ^ u32(words, at + 1);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35) ^ u32(words, at + 2);
    hash = Math.imul(hash ^ (hash >>> 16), 0x27d4eb2f) ^ u32(words, at + 3);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    return (hash ^ (hash >>> 13)) >>> 0;
  }
}
