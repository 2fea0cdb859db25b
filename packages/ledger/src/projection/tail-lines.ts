import type { Balance } from '../machine/account-table.ts';
import type { AccountHeads } from './account-heads.ts';
import { effectName, type AccountLine, type Line, type LineRange } from './movement.ts';
import { COLUMN, type Tail } from './tail.ts';
import { CREDIT_SIDE, DEBIT_SIDE, joinWide, readWide, revertChange, SUM_WORDS } from './wide-sum.ts';

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
      revertChange(sums, isDebit ? DEBIT_SIDE : CREDIT_SIDE, tail.change(row));
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
  return {
    number: firstRow + row,
    sequence: sequence + value(COLUMN.sequence),
    timeMs: firstMs + value(COLUMN.time),
    item: value(COLUMN.item),
    debit: value(COLUMN.debit),
    credit: value(COLUMN.credit),
    amount: joinWide(value(COLUMN.amountLow), value(COLUMN.amountHigh)),
    released: joinWide(value(COLUMN.releasedLow), value(COLUMN.releasedHigh)),
    code: value(COLUMN.code),
    effect: effectName(value(COLUMN.effect)),
    reference: joinReference(value),
  };
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
