import { u32 } from '../machine/cells.ts';
import type { AccountHeads } from './account-heads.ts';
import { FEED, FEED_WORDS } from './movement-feed.ts';
import { columnOf, type PageColumn } from './packed-page.ts';
import { applyChange, CREDIT_SIDE, DEBIT_SIDE, SUM_WORDS, type Side } from './wide-sum.ts';

/**
 * Columns of a movement in pages of a segment: number of its frame and time, as offsets, then the words of
 * the feed in their order.
 */
export const COLUMN = {
  sequence: 0,
  time: 1,
  debit: 2 + FEED.debit,
  credit: 2 + FEED.credit,
  amount: 2 + FEED.amount,
  released: 2 + FEED.released,
  reference: 2 + FEED.reference,
  tail: 2 + FEED.tail,
  item: 2 + FEED.item,
} as const;
const FEED_COLUMN = 2;

const SMALLEST = 1024;

/** Offsets of time are words, so a segment spans 49 days at most. */
export const MAX_SPAN_MS = 2 ** 32 - 1;

/** Where a segment begins. */
export interface TailStart {
  /** Of the segment that it becomes. */
  readonly segment: number;
  /** Of its first movement. */
  readonly firstRow: number;
  /** The last frame before it. */
  readonly sequence: number;
  /** Of the last movement before it, ms. */
  readonly timeMs: number;
}

/** A frame's movements, as they come from the feed. */
export interface TailFrame {
  readonly sequence: number;
  readonly timeMs: number;
  readonly words: Uint32Array;
  /** Rows of `words`, the last one not included. */
  readonly from: number;
  readonly to: number;
}

/** Movements that are not in any segment yet: columns, and which accounts they touch. */
export class Tail {
  start: TailStart = { segment: 1, firstRow: 0, sequence: 0, timeMs: 0 };
  /** The newest frame in it. */
  sequence = 0;
  firstMs = 0;
  lastMs = 0;
  rows = 0;
  /** Of each movement: FEED_WORDS words; its frame and its time, as offsets. */
  words: Uint32Array<ArrayBuffer>;
  sequences: Uint32Array<ArrayBuffer>;
  times: Uint32Array<ArrayBuffer>;
  /** By slot: number of the account, its movements here, its sums before them. */
  accounts = new Uint32Array(SMALLEST);
  counts = new Uint32Array(SMALLEST);
  before = new Uint32Array(SMALLEST * SUM_WORDS);
  touched = 0;

  /** @param expectedRows room that it makes at once. */
  constructor(expectedRows: number) {
    const capacity = Math.max(expectedRows, SMALLEST);
    this.words = new Uint32Array(capacity * FEED_WORDS);
    this.sequences = new Uint32Array(capacity);
    this.times = new Uint32Array(capacity);
  }

  /** Empties it, for what comes after `start`. */
  begin(start: TailStart): void {
    this.start = start;
    this.sequence = start.sequence;
    // So that times never fall from one segment to the next, even if nothing moves in one.
    this.firstMs = start.timeMs;
    this.lastMs = start.timeMs;
    this.rows = 0;
    this.touched = 0;
  }

  /** Whether a frame of this time can still be told here. */
  spans(timeMs: number): boolean {
    return this.rows === 0 || timeMs - this.firstMs <= MAX_SPAN_MS;
  }

  /** Adds a frame, and what it does to the sums of all accounts. */
  append(heads: AccountHeads, frame: TailFrame): void {
    this.sequence = frame.sequence;
    if (frame.to === frame.from) return;
    if (this.rows === 0) this.firstMs = frame.timeMs;
    this.lastMs = frame.timeMs;
    this.#reserve(this.rows + frame.to - frame.from);
    const [first, last] = [this.rows, this.rows + frame.to - frame.from];
    this.words.set(frame.words.subarray(frame.from * FEED_WORDS, frame.to * FEED_WORDS), first * FEED_WORDS);
    this.sequences.fill(frame.sequence - this.start.sequence, first, last);
    this.times.fill(frame.timeMs - this.firstMs, first, last);
    this.rows = last;
    for (let at = first * FEED_WORDS; at < last * FEED_WORDS; at += FEED_WORDS) {
      const effect = u32(this.words, at + FEED.tail) & 0xff;
      this.#touch(heads, u32(this.words, at + FEED.debit), DEBIT_SIDE, effect, at);
      this.#touch(heads, u32(this.words, at + FEED.credit), CREDIT_SIDE, effect, at);
    }
  }

  get place(): { readonly firstRow: number; readonly sequence: number; readonly firstMs: number } {
    return { firstRow: this.start.firstRow, sequence: this.start.sequence, firstMs: this.firstMs };
  }

  value(column: number, row: number): number {
    if (column >= FEED_COLUMN) return u32(this.words, row * FEED_WORDS + column - FEED_COLUMN);
    return u32(column === COLUMN.sequence ? this.sequences : this.times, row);
  }

  /** In the order of COLUMN. */
  columns(): readonly PageColumn[] {
    const words = Array.from({ length: FEED_WORDS }, (_, first) => ({
      cells: this.words,
      first,
      stride: FEED_WORDS,
    }));
    return [columnOf(this.sequences), columnOf(this.times), ...words];
  }

  /** The first row of this time or later. */
  rowAt(timeMs: number): number {
    let [low, high] = [0, this.rows];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.firstMs + this.value(COLUMN.time, middle) < timeMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** @param at where the words of the movement begin. */
  #touch(heads: AccountHeads, account: number, side: Side, effect: number, at: number): void {
    heads.include(account);
    let slot = u32(heads.slots, account) - 1;
    if (slot < 0) slot = this.#addSlot(heads, account);
    this.counts[slot] = u32(this.counts, slot) + 1;
    applyChange(heads.sums, account * SUM_WORDS + side, effect, this.words, at + FEED.amount);
  }

  #addSlot(heads: AccountHeads, account: number): number {
    const slot = this.touched;
    if (slot >= this.accounts.length) {
      this.accounts = grown(this.accounts);
      this.counts = grown(this.counts);
      this.before = grown(this.before);
    }
    this.touched += 1;
    heads.slots[account] = this.touched;
    this.accounts[slot] = account;
    this.counts[slot] = 0;
    for (let word = 0; word < SUM_WORDS; word += 1)
      this.before[slot * SUM_WORDS + word] = u32(heads.sums, account * SUM_WORDS + word);
    return slot;
  }

  #reserve(rows: number): void {
    while (rows > this.times.length) {
      this.words = grown(this.words);
      this.sequences = grown(this.sequences);
      this.times = grown(this.times);
    }
  }
}

function grown(from: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const longer = new Uint32Array(2 * from.length);
  longer.set(from);
  return longer;
}
