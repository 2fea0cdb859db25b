import { assert } from '@clawbernetes/kernel';
import { u32 } from './cells.ts';
import { ID_STATE } from './id-state.ts';
import { idTimeMs } from './id-time.ts';
import { fingerprintKey, RequestFingerprint } from './request-fingerprint.ts';
import { HALF, TRANSFER_HALVES } from './transfer-record.ts';
import { WideTable } from './wide-table.ts';
import { IdTable } from './id-table.ts';

/** Key, then what it stands for. */
const ENTRY_WORDS = 8;
/** Words of an entry's second half: fingerprint of the whole request (two), value, state. */
const FINGERPRINT = 0;
const VALUE = 2;
const STATE = 3;

/**
 * Which ids were used, for what, by whom, and with which answer. A repeat of the same request is told from
 * another request under the same id by a keyed fingerprint of 62 bits.
 */
export class IdMemory {
  readonly #seed: number;
  readonly #expected: number;
  #table: IdTable;
  #key: Uint8Array<ArrayBuffer>;
  #fingerprint: RequestFingerprint;
  /** What was set aside and is not yet to be found in the archive. */
  #aside: IdTable | undefined;
  /** The table that is used next; where none is left, a new one. */
  #spare: IdTable | undefined;
  /** What the archive knows of the ids of the batch at hand. */
  #recalled: WideTable | undefined;
  /** No id of a later time was ever set aside. */
  #asideUntilMs = -1;
  /** Ids from before are refused: they may have been used and forgotten. */
  #sinceMs = 0;

  constructor(seed: number, expected: number) {
    this.#seed = seed;
    this.#expected = expected;
    this.#table = new IdTable(seed, expected);
    this.#key = fingerprintKey(seed);
    this.#fingerprint = new RequestFingerprint(this.#key);
  }

  /** Under which the fingerprints of all entries were taken. */
  get key(): Uint8Array<ArrayBuffer> {
    return this.#key;
  }

  /** Goes on with the fingerprints of an earlier run. */
  useKey(key: Uint8Array): void {
    this.#key = Uint8Array.from(key);
    this.#fingerprint = new RequestFingerprint(this.#key);
  }

  /**
   * Names the request at hand, of which `isSame` and `remember` speak: the record at `base`, and its signer.
   */
  identify(quarters: Uint16Array, base: number, signer: number): void {
    this.#fingerprint.take(quarters, base, signer);
  }

  /** Whether the request at hand is the one that the id of this entry was first used for. */
  isSame(entry: Uint32Array): boolean {
    const { first, second } = this.#fingerprint;
    return u32(entry, 4 + FINGERPRINT) === first && u32(entry, 5 + FINGERPRINT) === second;
  }

  /** Entries that are held here. */
  get size(): number {
    return this.#table.size;
  }

  get sinceMs(): number {
    return this.#sinceMs;
  }

  /** Nothing from before `timeMs` is remembered any more. */
  forgetBefore(timeMs: number): void {
    this.#sinceMs = Math.max(this.#sinceMs, timeMs);
  }

  get asideUntilMs(): number {
    return this.#asideUntilMs;
  }

  /** An id that `find` does not know may still have been used before: its entry, if it was. */
  findOlder(halves: Uint32Array, at: number): Uint32Array | undefined {
    if (idTimeMs(halves, at) > this.#asideUntilMs) return undefined;
    for (const older of [this.#aside, this.#recalled]) {
      const place = older?.find(halves, at) ?? -1;
      // Freed by a chain that failed, an entry says nothing; and what is pending is never older.
      const state = older && place >= 0 ? older.value(place, STATE) : ID_STATE.none;
      if (older && state !== ID_STATE.none && state !== ID_STATE.live) return older.entry(place);
    }
    return undefined;
  }

  /**
   * Starts anew with what is still pending, and answers all the rest for the archive. Until `archived`, it
   * can still be found here, and is not changed.
   */
  setAside(): IdTable {
    assert(this.#aside === undefined, 'one part at a time is on its way to the archive');
    const old = this.#table;
    this.#table = this.#spare ?? new IdTable(this.#seed, this.#expected);
    this.#spare = undefined;
    const { entries } = old;
    let untilMs = this.#asideUntilMs;
    for (let at = 0; at < entries.length; at += ENTRY_WORDS) {
      const state = u32(entries, at + 4 + STATE);
      if (state === ID_STATE.live) this.restore(entries.subarray(at, at + ENTRY_WORDS));
      else if (state !== ID_STATE.none) untilMs = Math.max(untilMs, idTimeMs(entries, at));
    }
    this.#asideUntilMs = untilMs;
    this.#aside = old;
    return old;
  }

  /** What was set aside can be found in the archive from now on. */
  archived(): void {
    this.#aside?.clear();
    this.#spare = this.#aside;
    this.#aside = undefined;
  }

  /** An archive of an earlier run holds ids up to this time. */
  archivedUntil(timeMs: number): void {
    this.#asideUntilMs = Math.max(this.#asideUntilMs, timeMs);
  }

  /** What the archive knows of the ids that the next batch names; forgotten with the next call. */
  recall(entries: readonly Uint32Array[]): void {
    this.#recalled = entries.length === 0 ? undefined : new WideTable(this.#seed, entries.length);
    for (const entry of entries) copyInto(this.#recalled, entry);
  }

  /** The place of an id, or less than zero. */
  find(halves: Uint32Array, at: number): number {
    return this.#table.find(halves, at);
  }

  /** Makes lookups of the ids of a batch, from `at` on in each record, faster (see IdTable). */
  touch(halves: Uint32Array, at: number): void {
    this.#table.touch(halves, at, TRANSFER_HALVES);
  }

  state(place: number): number {
    return this.#table.value(place, STATE);
  }

  value(place: number): number {
    return this.#table.value(place, VALUE);
  }

  /** A view that holds until the next id is remembered. */
  entry(place: number): Uint32Array {
    return this.#table.entry(place);
  }

  /** Remembers the request at hand; `place` is what `find` answered just now for its id. */
  remember(place: number, halves: Uint32Array, base: number, state: number, value: number): void {
    const at = place < 0 ? this.#table.insert(place, halves, base + HALF.id) : place;
    this.#table.set(at, FINGERPRINT, this.#fingerprint.first);
    this.#table.set(at, 1, this.#fingerprint.second);
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
    copyInto(this.#table, entry);
  }
}

/** State and value of an entry, which is key, fingerprint, value and state. */
export function entryState(entry: Uint32Array): number {
  return u32(entry, 4 + STATE);
}

export function entryValue(entry: Uint32Array): number {
  return u32(entry, 4 + VALUE);
}

function copyInto(table: WideTable | IdTable | undefined, entry: Uint32Array): void {
  if (table === undefined) return;
  const found = table.find(entry, 0);
  const place = found < 0 ? table.insert(found, entry, 0) : found;
  for (const word of [0, 1, 2, 3] as const) table.set(place, word, u32(entry, 4 + word));
}
