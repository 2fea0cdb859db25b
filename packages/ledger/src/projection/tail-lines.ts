import type { Balance } from '../machine/account-table.ts';
import type { AccountHeads } from './account-heads.ts';
import { effectName, type AccountLine, type Line, type LineRange } from './movement.ts';
import { tailParts } from './movement-feed.ts';
import { COLUMN, type Tail } from './tail.ts';
import {
  CREDIT_SIDE,
  DEBIT_SIDE,
  joinWide,
  readWide,
  revertChange,
  SUM_WORDS,
  type Side,
} from './wide-sum.ts';

/** What is moved and what is released, which follow each other in the columns; only used within `revert`. */
const AMOUNT_WORDS = new Uint32Array(4);

/** Movements of an account that are in memory, the newest first, each with its sums after it. */
export function accountLines(
  tails: readonly Tail[],
  heads: AccountHeads,
  account: number,
  range: LineRange,
): AccountLine[] {
  const lines: AccountLine[] = [];
  const isOld = range.before <= (tails[0]?.start.firstRow ?? 0);
  if (account >= heads.size || isOld) return lines;
  const sums = heads.sums.slice(account * SUM_WORDS, (account + 1) * SUM_WORDS);
  for (const tail of tails.toReversed()) {
    // Slots are those of the newest tail.
    if (tail === tails.at(-1) && heads.slots[account] === 0) continue;
    const { from, to } = rowsOf(tail, range);
    for (let row = tail.rows - 1; row >= from && lines.length < range.limit; row -= 1) {
      const isDebit = tail.value(COLUMN.debit, row) === account;
      if (!isDebit && tail.value(COLUMN.credit, row) !== account) continue;
      if (row < to) lines.push({ ...lineOf(tail, row), after: balanceOf(sums, 0) });
      revert(sums, isDebit ? DEBIT_SIDE : CREDIT_SIDE, tail, row);
    }
  }
  return lines;
}

/** Movements of a reference that are in memory, the newest first. */
export function referenceLines(tails: readonly Tail[], reference: bigint, range: LineRange): Line[] {
  const lines: Line[] = [];
  const words = wordsOf(reference);
  for (const tail of tails.toReversed()) {
    const { from, to } = rowsOf(tail, range);
    for (let row = to - 1; row >= from && lines.length < range.limit; row -= 1) {
      const isIt = words.every((word, index) => tail.value(COLUMN.reference + index, row) === word);
      if (isIt) lines.push(lineOf(tail, row));
    }
  }
  return lines;
}

/** The first row in the range, and that after the last one. */
function rowsOf(tail: Tail, { before, fromMs, toMs }: LineRange): { from: number; to: number } {
  const beforeRow = Math.max(0, before - tail.start.firstRow);
  return { from: tail.rowAt(fromMs), to: Math.min(beforeRow, tail.rowAt(toMs), tail.rows) };
}

/** Reads one movement: of a tail, or of a page of rows. */
export function lineOf(source: RowSource, row: number): Line {
  const { firstRow, sequence, firstMs } = source.place;
  const value = (column: number): number => source.value(column, row);
  const { code, effect } = tailParts(value(COLUMN.tail));
  return {
    number: firstRow + row,
    sequence: sequence + value(COLUMN.sequence),
    timeMs: firstMs + value(COLUMN.time),
    item: value(COLUMN.item),
    debit: value(COLUMN.debit),
    credit: value(COLUMN.credit),
    amount: joinWide(value(COLUMN.amount), value(COLUMN.amount + 1)),
    released: joinWide(value(COLUMN.released), value(COLUMN.released + 1)),
    code,
    effect: effectName(effect),
    reference: joinReference(value),
  };
}

/** Takes a movement out of the sums of one of its sides. */
export function revert(sums: Uint32Array, side: Side, source: RowSource, row: number): void {
  const { effect } = tailParts(source.value(COLUMN.tail, row));
  for (let word = 0; word < AMOUNT_WORDS.length; word += 1)
    AMOUNT_WORDS[word] = source.value(COLUMN.amount + word, row);
  revertChange(sums, side, effect, AMOUNT_WORDS, 0);
}

export interface RowSource {
  /** What offsets count from: number of row 0, a number of frames, a time. */
  readonly place: { readonly firstRow: number; readonly sequence: number; readonly firstMs: number };
  value(column: number, row: number): number;
}

export function wordsOf(reference: bigint): Uint32Array {
  return Uint32Array.from([0n, 32n, 64n, 96n], (shift) => Number((reference >> shift) & 0xffff_ffffn));
}

export function balanceOf(sums: Uint32Array, at: number): Balance {
  return {
    debitsPending: readWide(sums, at),
    debitsPosted: readWide(sums, at + 2),
    creditsPending: readWide(sums, at + 4),
    creditsPosted: readWide(sums, at + 6),
  };
}

function joinReference(value: (column: number) => number): bigint {
  let reference = 0n;
  for (let word = 3; word >= 0; word -= 1)
    reference = (reference << 32n) | BigInt(value(COLUMN.reference + word));
  return reference;
}
