// Relative imports only: this also runs in a worker thread, which package conditions do not reach.
import { u16, u32 } from '../machine/cells.ts';
import { ID_STATE } from '../machine/id-state.ts';
import { idTimeMs } from '../machine/id-time.ts';
import { RunMemory } from './run-memory.ts';

/** Words of an entry: the id (four), fingerprint (two), value, state. */
export const ENTRY_WORDS = 8;
/** 64 KiB of body. */
export const PAGE_ENTRIES = 2048;
/** Of the filter per id, and how many of them one id sets: 0.7 % of strangers pass. */
const FILTER_BITS = 12;
const FILTER_PROBES = 4;
/** 8 MiB, which a store takes in one row; filters of more than 5.6 million ids let more strangers pass. */
const MAX_FILTER_WORDS = 2 ** 21;

/** Ids that were set aside together, sorted, in pages; and what tells cheaply which page to look at. */
export interface IdRun {
  readonly count: number;
  /** Times inside the ids, the earliest and the latest, ms. */
  readonly firstMs: number;
  readonly lastMs: number;
  /**
   * ENTRY_WORDS each, ascending by id. Like the filter in shared memory: many megabytes that are never
   * copied.
   */
  readonly entries: Uint32Array<SharedArrayBuffer>;
  /** A Bloom filter (Bloom 1970). */
  readonly filter: Uint32Array<SharedArrayBuffer>;
}

/**
 * Of the entries that are done; undefined if none is.
 * @param entries in any order, ENTRY_WORDS each; none is there twice.
 * @param memory that of the run before, if that is done with.
 */
export function sortedRun(entries: Uint32Array, memory = new RunMemory()): IdRun | undefined {
  const order = sortedOrder(entries, doneEntries(entries));
  const count = order.length;
  if (count === 0) return undefined;
  const sorted = memory.entries(count * ENTRY_WORDS);
  for (let rank = 0; rank < count; rank += 1) {
    const from = u32(order, rank) * ENTRY_WORDS;
    for (let word = 0; word < ENTRY_WORDS; word += 1)
      sorted[rank * ENTRY_WORDS + word] = u32(entries, from + word);
  }
  return {
    count,
    firstMs: idTimeMs(sorted, 0),
    lastMs: idTimeMs(sorted, (count - 1) * ENTRY_WORDS),
    entries: sorted,
    filter: filterOf(sorted, memory.filter(filterWords(count))),
  };
}

/** Numbers of the entries that are neither pending nor free. */
function doneEntries(entries: Uint32Array): Uint32Array<ArrayBuffer> {
  const count = entries.length / ENTRY_WORDS;
  if (!Number.isInteger(count)) throw new RangeError('A run has whole entries.');
  const done = new Uint32Array(count);
  let found = 0;
  for (let entry = 0; entry < count; entry += 1) {
    const state = u32(entries, (entry + 1) * ENTRY_WORDS - 1);
    if (state === ID_STATE.none || state === ID_STATE.live) continue;
    done[found] = entry;
    found += 1;
  }
  return done.subarray(0, found);
}

export function filterWords(count: number): number {
  return Math.min(Math.ceil((count * FILTER_BITS) / 32), MAX_FILTER_WORDS);
}

/** Whether the id at `at` may be in the run of this filter; false is certain. */
export function passesFilter(filter: Uint32Array, words: Uint32Array, at: number): boolean {
  const bits = filter.length * 32;
  let hash = mixed(words, at);
  const step = (Math.imul(hash, 0x9e3779b1) >>> 0) | 1;
  for (let probe = 0; probe < FILTER_PROBES; probe += 1) {
    const bit = hash % bits;
    if ((u32(filter, bit >>> 5) & (1 << (bit & 31))) === 0) return false;
    hash = (hash + step) >>> 0;
  }
  return true;
}

/** Where the id at `at` is among sorted entries, in words; or −1. */
export function findEntry(entries: Uint32Array, words: Uint32Array, at: number): number {
  let [low, high] = [0, entries.length / ENTRY_WORDS - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const order = compareIds(entries, middle * ENTRY_WORDS, words, at);
    if (order === 0) return middle * ENTRY_WORDS;
    if (order < 0) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

/** The last of `firsts`, ids of four words each, that is not after the id at `at`; or −1. */
export function pageOf(firsts: Uint32Array, words: Uint32Array, at: number): number {
  let [low, high] = [0, firsts.length / 4 - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (compareIds(firsts, middle * 4, words, at) <= 0) low = middle + 1;
    else high = middle - 1;
  }
  return high;
}

/** Below, equal to or above zero as the ids at these words are in their order. */
export function compareIds(left: Uint32Array, leftAt: number, right: Uint32Array, rightAt: number): number {
  for (let word = 3; word >= 0; word -= 1) {
    const difference = u32(left, leftAt + word) - u32(right, rightAt + word);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** By 16 bits each, the lowest first. Ids that callers made share few of the upper half. */
const UPPER_DIGITS = [4, 5, 6, 7] as const;
const ALL_DIGITS = [0, 1, 2, 3, ...UPPER_DIGITS] as const;
/** Steps per entry after which insertion is given up: whoever makes ids chooses their lower halves. */
const MAX_STEPS = 4;

/** Puts numbers of entries in the order of their ids: radix by 16 bits over the upper half, then the rest. */
function sortedOrder(entries: Uint32Array, unsorted: Uint32Array<ArrayBuffer>): Uint32Array {
  const order = radixOrder(entries, unsorted, UPPER_DIGITS);
  return finishOrder(entries, order) ? order : radixOrder(entries, order, ALL_DIGITS);
}

function radixOrder(
  entries: Uint32Array,
  unsorted: Uint32Array<ArrayBuffer>,
  digits: readonly number[],
): Uint32Array<ArrayBuffer> {
  let order = unsorted;
  let spare = new Uint32Array(order.length);
  const quarters = new Uint16Array(entries.buffer, entries.byteOffset, entries.length * 2);
  for (const digit of digits) {
    scatter(quarters, digit, order, spare);
    [order, spare] = [spare, order];
  }
  return order;
}

/** Insertion, which is quick where little is out of place. @returns whether it came to an end. */
function finishOrder(entries: Uint32Array, order: Uint32Array): boolean {
  let steps = MAX_STEPS * order.length;
  for (let rank = 1; rank < order.length; rank += 1) {
    const entry = u32(order, rank);
    let before = rank - 1;
    while (
      before >= 0 &&
      compareIds(entries, u32(order, before) * ENTRY_WORDS, entries, entry * ENTRY_WORDS) > 0
    ) {
      order[before + 1] = u32(order, before);
      before -= 1;
      steps -= 1;
    }
    order[before + 1] = entry;
    if (steps < 0) return false;
  }
  return true;
}

/** One pass of a stable radix sort, by the 16-bit digit of each entry. */
function scatter(quarters: Uint16Array, digit: number, from: Uint32Array, to: Uint32Array): void {
  const starts = new Uint32Array(65_537);
  for (let rank = 0; rank < from.length; rank += 1) {
    const bucket = u16(quarters, u32(from, rank) * ENTRY_WORDS * 2 + digit) + 1;
    starts[bucket] = u32(starts, bucket) + 1;
  }
  for (let bucket = 1; bucket < starts.length; bucket += 1)
    starts[bucket] = u32(starts, bucket) + u32(starts, bucket - 1);
  for (let rank = 0; rank < from.length; rank += 1) {
    const entry = u32(from, rank);
    const bucket = u16(quarters, entry * ENTRY_WORDS * 2 + digit);
    to[u32(starts, bucket)] = entry;
    starts[bucket] = u32(starts, bucket) + 1;
  }
}

function filterOf(
  entries: Uint32Array,
  filter: Uint32Array<SharedArrayBuffer>,
): Uint32Array<SharedArrayBuffer> {
  const bits = filter.length * 32;
  for (let at = 0; at < entries.length; at += ENTRY_WORDS) {
    let hash = mixed(entries, at);
    const step = (Math.imul(hash, 0x9e3779b1) >>> 0) | 1;
    for (let probe = 0; probe < FILTER_PROBES; probe += 1) {
      const bit = hash % bits;
      filter[bit >>> 5] = u32(filter, bit >>> 5) | (1 << (bit & 31));
      hash = (hash + step) >>> 0;
    }
  }
  return filter;
}

function mixed(words: Uint32Array, at: number): number {
  let hash = 0;
  for (let word = 0; word < 4; word += 1) {
    hash = Math.imul(hash ^ u32(words, at + word), 0x85ebca6b);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
