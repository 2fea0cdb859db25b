import { u32 } from './cells.ts';
import { HALF, TRANSFER_HALVES } from './transfer-record.ts';
import { WideTable } from './wide-table.ts';

/** What an id stands for. Numbers are stored in snapshots. */
export const ID_STATE = {
  /** Used by a chain that failed: free again. */
  none: 0,
  /** A transfer that is done: posted at once, or the post or void of another. */
  done: 1,
  /** Pending; the value is its slot. */
  live: 2,
  posted: 3,
  voided: 4,
  expired: 5,
  /** It failed for a reason that may have gone since; the value is the code of that. */
  failed: 6,
} as const;

/** Words of an entry: fingerprint of the whole request (two), value, state. */
const FINGERPRINT = 0;
const VALUE = 2;
const STATE = 3;

/**
 * Which ids were used, for what, and with which answer. A repeat of the same request is told from another
 * request under the same id by a fingerprint of 64 bits; whoever makes two requests collide confuses nobody
 * but himself, since ids are his own.
 */
export class IdMemory {
  readonly #table: WideTable;

  constructor(seed: number, expected: number) {
    this.#table = new WideTable(seed, expected);
  }

  get size(): number {
    return this.#table.size;
  }

  /** The place of an id, or less than zero. */
  find(halves: Uint32Array, at: number): number {
    return this.#table.find(halves, at);
  }

  state(place: number): number {
    return this.#table.value(place, STATE);
  }

  value(place: number): number {
    return this.#table.value(place, VALUE);
  }

  /** Whether the record that begins at `base` is the one that this id was first used for. */
  isSame(place: number, halves: Uint32Array, base: number): boolean {
    const [first, second] = [fingerprint(halves, base, 0x9e3779b1), fingerprint(halves, base, 0x7feb352d)];
    return this.#table.value(place, FINGERPRINT) === first && this.#table.value(place, 1) === second;
  }

  /** Remembers the record that begins at `base`; `place` is what `find` answered just now for its id. */
  remember(place: number, halves: Uint32Array, base: number, state: number, value: number): void {
    const at = place < 0 ? this.#table.insert(place, halves, base + HALF.id) : place;
    this.#table.set(at, FINGERPRINT, fingerprint(halves, base, 0x9e3779b1));
    this.#table.set(at, 1, fingerprint(halves, base, 0x7feb352d));
    this.#table.set(at, VALUE, value);
    this.#table.set(at, STATE, state);
  }

  change(place: number, state: number, value = 0): void {
    this.#table.set(place, VALUE, value);
    this.#table.set(place, STATE, state);
  }

  /** Entries as eight words each: key, fingerprint, value, state. */
  *entries(): Generator<Uint32Array, void, undefined> {
    for (const place of this.#table.places()) {
      if (this.state(place) !== ID_STATE.none) yield this.#table.entry(place);
    }
  }

  /** Takes an entry over from another memory. */
  restore(entry: Uint32Array): void {
    const place = this.#table.insert(this.#table.find(entry, 0), entry, 0);
    for (const word of [0, 1, 2, 3] as const) this.#table.set(place, word, u32(entry, 4 + word));
  }
}

/** Of all fields but the id: 32 bits that depend on `seed`. */
function fingerprint(halves: Uint32Array, base: number, seed: number): number {
  let hash = seed;
  for (let word = HALF.debit; word < TRANSFER_HALVES; word += 1) {
    hash = Math.imul(hash ^ u32(halves, base + word), 0x85ebca6b);
    hash ^= hash >>> 13;
  }
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
