import { u32 } from '../machine/cells.ts';
import type { AccountHeads } from './account-heads.ts';
import { FEED, FEED_WORDS, tailParts } from './movement-feed.ts';
import { applyChange, CREDIT_SIDE, DEBIT_SIDE, SUM_WORDS, type Change, type Side } from './wide-sum.ts';

/** Columns of a movement, in memory and in pages of a segment. Times and numbers of frames are offsets. */
export const COLUMN = {
  sequence: 0,
  time: 1,
  item: 2,
  debit: 3,
  credit: 4,
  amountLow: 5,
  amountHigh: 6,
  releasedLow: 7,
  releasedHigh: 8,
  code: 9,
  effect: 10,
  /** Four words. */
  reference: 11,
} as const;
export const COLUMN_COUNT = 15;

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
  readonly start: TailStart;
  /** The newest frame in it. */
  sequence: number;
  firstMs: number;
  lastMs: number;
  rows = 0;
  /** By column; COLUMN_COUNT of them. */
  readonly columns: Uint32Array<ArrayBuffer>[];
  /** By slot: number of the account, its movements here, its sums before them. */
  accounts = new Uint32Array(SMALLEST);
  counts = new Uint32Array(SMALLEST);
  before = new Uint32Array(SMALLEST * SUM_WORDS);
  touched = 0;

  constructor(start: TailStart, expectedRows: number) {
    this.start = start;
    this.sequence = start.sequence;
    // So that times never fall from one segment to the next, even if nothing moves in one.
    this.firstMs = start.timeMs;
    this.lastMs = start.timeMs;
    const capacity = Math.max(expectedRows, SMALLEST);
    this.columns = Array.from({ length: COLUMN_COUNT }, () => new Uint32Array(capacity));
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
    const first = this.rows;
    this.#copy(frame);
    for (let row = first; row < this.rows; row += 1) {
      const change = this.change(row);
      this.#touch(heads, this.value(COLUMN.debit, row), DEBIT_SIDE, change);
      this.#touch(heads, this.value(COLUMN.credit, row), CREDIT_SIDE, change);
    }
  }

  get place(): { readonly firstRow: number; readonly sequence: number; readonly firstMs: number } {
    return { firstRow: this.start.firstRow, sequence: this.start.sequence, firstMs: this.firstMs };
  }

  value(column: number, row: number): number {
    return u32(this.columns[column] as Uint32Array, row); // one of COLUMN
  }

  change(row: number): Change {
    return {
      effect: this.value(COLUMN.effect, row),
      amountLow: this.value(COLUMN.amountLow, row),
      amountHigh: this.value(COLUMN.amountHigh, row),
      releasedLow: this.value(COLUMN.releasedLow, row),
      releasedHigh: this.value(COLUMN.releasedHigh, row),
    };
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

  #copy({ sequence, timeMs, words, from, to }: TailFrame): void {
    const time = timeMs - this.firstMs;
    const frame = sequence - this.start.sequence;
    const [sequences, times, items, debits, credits, amountLows, amountHighs, releasedLows, releasedHighs] =
      this.columns as [U32, U32, U32, U32, U32, U32, U32, U32, U32];
    const [codes, effects, ...references] = this.columns.slice(COLUMN.code) as [U32, U32, U32, U32, U32, U32];
    const [first, second, third, fourth] = references;
    let row = this.rows;
    for (let at = from * FEED_WORDS; at < to * FEED_WORDS; at += FEED_WORDS) {
      const { code, effect } = tailParts(u32(words, at + FEED.tail));
      sequences[row] = frame;
      times[row] = time;
      items[row] = u32(words, at + FEED.item);
      debits[row] = u32(words, at + FEED.debit);
      credits[row] = u32(words, at + FEED.credit);
      amountLows[row] = u32(words, at + FEED.amount);
      amountHighs[row] = u32(words, at + FEED.amount + 1);
      releasedLows[row] = u32(words, at + FEED.released);
      releasedHighs[row] = u32(words, at + FEED.released + 1);
      codes[row] = code;
      effects[row] = effect;
      first[row] = u32(words, at + FEED.reference);
      second[row] = u32(words, at + FEED.reference + 1);
      third[row] = u32(words, at + FEED.reference + 2);
      fourth[row] = u32(words, at + FEED.reference + 3);
      row += 1;
    }
    this.rows = row;
  }

  #touch(heads: AccountHeads, account: number, side: Side, change: Change): void {
    heads.include(account);
    let slot = u32(heads.slots, account) - 1;
    if (slot < 0) slot = this.#addSlot(heads, account);
    this.counts[slot] = u32(this.counts, slot) + 1;
    applyChange(heads.sums, account * SUM_WORDS + side, change);
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
    for (let word = 0; word < SUM_WORDS; word += 1)
      this.before[slot * SUM_WORDS + word] = u32(heads.sums, account * SUM_WORDS + word);
    return slot;
  }

  #reserve(rows: number): void {
    while (rows > (this.columns[0] as Uint32Array).length) {
      for (const [index, column] of this.columns.entries()) this.columns[index] = grown(column);
    }
  }
}

type U32 = Uint32Array;

function grown(from: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const longer = new Uint32Array(2 * from.length);
  longer.set(from);
  return longer;
}
