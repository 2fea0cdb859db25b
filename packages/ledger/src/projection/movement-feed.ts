import { u32 } from '../machine/cells.ts';
import type { Expiry, MovementWatcher } from '../machine/ledger-machine.ts';
import { EFFECT, type TransferOutcome } from '../machine/transfer-outcome.ts';
import { HALF, TRANSFER_BYTES, TRANSFER_HALVES } from '../machine/transfer-record.ts';

/** Words of a movement on its way to the projector. */
export const FEED_WORDS = 12;
/** Where they are; wide ones are low word first. The tail is the effect, and above its 8 bits the code. */
export const FEED = {
  debit: 0,
  credit: 1,
  amount: 2,
  released: 4,
  reference: 6,
  tail: 10,
  item: 11,
} as const;
/** Of each frame: its number, its time, and how many movements there are up to its end. */
export const MARK_FIELDS = 3;
const SMALLEST_ROWS = 1024;

/** Movements of whole frames; `words` may go on behind them. */
export interface FeedBatch {
  readonly words: Uint32Array<ArrayBuffer>;
  readonly marks: Float64Array<ArrayBuffer>;
}

/**
 * Notes what the machine does, frame by frame, until the projector takes it: 48 bytes for each movement, in
 * two buffers that take turns. Runs on the thread that books, so it only copies.
 */
export class MovementFeed implements MovementWatcher {
  #words = new Uint32Array(SMALLEST_ROWS * FEED_WORDS);
  /** Came back from the projector: fresh memory would cost more than the notes in it. */
  #spare: Uint32Array<ArrayBuffer> | undefined;
  #rows = 0;
  #marks: number[] = [];
  /** Frames that may be taken. */
  #durable = 0;
  #item = 0;
  #expiry = 0;

  /** Movements that wait, those of a frame under way included. */
  get rows(): number {
    return this.#rows;
  }

  /** Frames that wait. */
  get frames(): number {
    return this.#marks.length / MARK_FIELDS;
  }

  transfers(bytes: Uint8Array, outcome: TransferOutcome): void {
    const aligned = bytes.byteOffset % 4 === 0 ? bytes : Uint8Array.from(bytes);
    const halves = new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4);
    const count = bytes.length / TRANSFER_BYTES;
    this.#reserve(count);
    const { effects, debits, credits } = outcome;
    const amounts = halvesOf(outcome.amounts);
    const released = halvesOf(outcome.released);
    const words = this.#words;
    let at = this.#rows * FEED_WORDS;
    for (let item = 0; item < count; item += 1) {
      const effect = effects[item] ?? EFFECT.none;
      if (effect === EFFECT.none) continue;
      const base = item * TRANSFER_HALVES;
      words[at + FEED.debit] = u32(debits, item);
      words[at + FEED.credit] = u32(credits, item);
      words[at + FEED.amount] = u32(amounts, 2 * item);
      words[at + FEED.amount + 1] = u32(amounts, 2 * item + 1);
      const frees = effect === EFFECT.posted || effect === EFFECT.voided;
      words[at + FEED.released] = frees ? u32(released, 2 * item) : 0;
      words[at + FEED.released + 1] = frees ? u32(released, 2 * item + 1) : 0;
      for (let word = 0; word < 4; word += 1)
        words[at + FEED.reference + word] = u32(halves, base + HALF.reference + word);
      words[at + FEED.tail] = ((u32(halves, base + HALF.tail) & 0xffff) << 8) | effect;
      words[at + FEED.item] = this.#item + item;
      at += FEED_WORDS;
    }
    this.#item += count;
    this.#rows = at / FEED_WORDS;
  }

  expired({ debit, credit, amount }: Expiry): void {
    this.#reserve(1);
    const at = this.#rows * FEED_WORDS;
    this.#words.fill(0, at, at + FEED_WORDS);
    this.#words[at + FEED.debit] = debit;
    this.#words[at + FEED.credit] = credit;
    this.#words[at + FEED.released] = Number(BigInt.asUintN(32, amount));
    this.#words[at + FEED.released + 1] = Number(amount >> 32n);
    this.#words[at + FEED.tail] = EFFECT.expired;
    this.#words[at + FEED.item] = this.#expiry;
    this.#expiry += 1;
    this.#rows += 1;
  }

  /** All that was noted since the last frame belongs to this one. */
  endFrame(sequence: number, timeMs: number): void {
    this.#marks.push(sequence, timeMs, this.#rows);
    this.#item = 0;
    this.#expiry = 0;
  }

  /** What was noted since the last frame is known already. */
  dropFrame(): void {
    this.#rows = this.#marks.at(-1) ?? 0;
    this.#item = 0;
    this.#expiry = 0;
  }

  /** Frames up to this one may be taken. */
  durable(sequence: number): void {
    while (MARK_FIELDS * this.#durable < this.#marks.length) {
      if ((this.#marks[MARK_FIELDS * this.#durable] ?? Infinity) > sequence) break;
      this.#durable += 1;
    }
  }

  /** Takes all durable frames out, with the memory that they lie in; undefined if there are none. */
  take(): FeedBatch | undefined {
    if (this.#durable === 0) return undefined;
    const marks = Float64Array.from(this.#marks.splice(0, MARK_FIELDS * this.#durable));
    this.#durable = 0;
    const rows = marks.at(-1) ?? 0;
    const words = this.#words;
    const rest = words.subarray(rows * FEED_WORDS, this.#rows * FEED_WORDS);
    this.#words = this.#roomFor(rest.length);
    this.#words.set(rest);
    this.#rows -= rows;
    for (let mark = MARK_FIELDS - 1; mark < this.#marks.length; mark += MARK_FIELDS)
      this.#marks[mark] = (this.#marks[mark] ?? 0) - rows;
    return { words, marks };
  }

  /** The memory of a batch that was taken. */
  giveBack(words: Uint32Array<ArrayBuffer>): void {
    this.#spare = words;
  }

  #roomFor(words: number): Uint32Array<ArrayBuffer> {
    const spare = this.#spare;
    this.#spare = undefined;
    if (spare && spare.length >= words) return spare;
    return new Uint32Array(Math.max(words, SMALLEST_ROWS * FEED_WORDS));
  }

  #reserve(rows: number): void {
    const needed = (this.#rows + rows) * FEED_WORDS;
    if (needed <= this.#words.length) return;
    const longer = new Uint32Array(Math.max(needed, 2 * this.#words.length));
    longer.set(this.#words.subarray(0, this.#rows * FEED_WORDS));
    this.#words = longer;
  }
}

/** What a tail word says. */
export function tailParts(tail: number): { readonly code: number; readonly effect: number } {
  return { code: tail >>> 8, effect: tail & 0xff };
}

function halvesOf(wide: BigUint64Array<ArrayBuffer>): Uint32Array {
  return new Uint32Array(wide.buffer, wide.byteOffset, 2 * wide.length);
}
