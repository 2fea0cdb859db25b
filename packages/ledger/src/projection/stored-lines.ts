import { present } from '@clawbernetes/kernel';
import type { AccountLine, Line } from './movement.ts';
import type { PackedPage } from './packed-page.ts';
import { referenceHash } from './reference-hash.ts';
import type { AccountEntry, SegmentArchive } from './segment-archive.ts';
import { bucketOf, POSTINGS_PER_PAGE, RESTART_POSTINGS, ROWS_PER_PAGE, SECTION } from './segment-layout.ts';
import { COLUMN } from './tail.ts';
import { balanceOf, lineOf, revert, wordsOf, type RowSource } from './tail-lines.ts';
import { CREDIT_SIDE, DEBIT_SIDE, SUM_WORDS } from './wide-sum.ts';

/** Numbers of movements: from the first, up to but not including the second; the newest `limit` of them. */
export interface RowRange {
  readonly from: number;
  readonly before: number;
  readonly limit: number;
}

/** Segments whose references one search looks through. */
const SEGMENTS_PER_SEARCH = 256;

/**
 * Movements of an account that are in the store, the newest first, each with its sums after it.
 * @param newest segment of the account in the store.
 */
export async function storedAccountLines(
  archive: SegmentArchive,
  { account, newest }: { readonly account: number; readonly newest: number },
  range: RowRange,
): Promise<readonly AccountLine[]> {
  const lines: AccountLine[] = [];
  if (range.before <= range.from) return lines;
  let segment = await lastWith(archive, account, newest, archive.segmentBefore(range.before));
  while (segment > 0 && lines.length < range.limit) {
    const { firstRow, rows } = archive.facts(segment);
    if (firstRow + rows <= range.from) break;
    const entry = await archive.entry(segment, account);
    const rest = { ...range, limit: range.limit - lines.length };
    lines.push(...(await segmentLines(archive, { segment, account, entry }, rest)));
    segment = entry.previous;
  }
  return lines;
}

/** The last segment up to `wanted` that an account is in: from the next stored heads backwards. */
async function lastWith(
  archive: SegmentArchive,
  account: number,
  newest: number,
  wanted: number,
): Promise<number> {
  if (newest <= wanted) return newest;
  const heads = archive.headsAfter(wanted);
  let segment = heads > 0 && heads < newest ? await archive.head(heads, account) : newest;
  while (segment > wanted) segment = (await archive.entry(segment, account)).previous;
  return segment;
}

interface Place {
  readonly segment: number;
  readonly account: number;
  readonly entry: AccountEntry;
}

async function segmentLines(archive: SegmentArchive, place: Place, range: RowRange): Promise<AccountLine[]> {
  const { segment, account, entry } = place;
  const { firstRow } = archive.facts(segment);
  const end = await firstPosting(archive, place, range.before - firstRow);
  const start = Math.max(
    await firstPosting(archive, place, Math.max(0, range.from - firstRow)),
    end - range.limit,
  );
  if (start >= end) return [];
  // Sums are known at the end of the account's postings, and at every so many of all postings.
  const restart = Math.ceil(end / RESTART_POSTINGS) * RESTART_POSTINGS;
  const last = entry.first + entry.count;
  const sums = restart < last ? await restartSums(archive, segment, restart) : entry.after.slice();
  const rows = await postings(archive, segment, start, Math.min(restart, last));
  const source = await rowSource(archive, segment, rows);
  const lines: AccountLine[] = [];
  for (const [index, row] of [...rows.entries()].toReversed()) {
    if (start + index < end) lines.push({ ...lineOf(source, row), after: balanceOf(sums, 0) });
    const side = source.value(COLUMN.debit, row) === account ? DEBIT_SIDE : CREDIT_SIDE;
    revert(sums, side, source, row);
  }
  return lines;
}

/** The first posting of the account with this row or a later one; else their end. */
async function firstPosting(archive: SegmentArchive, place: Place, row: number): Promise<number> {
  const { segment, entry } = place;
  let [low, high] = [entry.first, entry.first + entry.count];
  if (row <= 0) return low;
  if (row >= archive.facts(segment).rows) return high;
  while (low < high) {
    const middle = (low + high) >> 1;
    const page = await archive.page(segment, SECTION.postings, Math.floor(middle / POSTINGS_PER_PAGE));
    if (page.value(0, middle % POSTINGS_PER_PAGE) < row) low = middle + 1;
    else high = middle;
  }
  return low;
}

async function postings(
  archive: SegmentArchive,
  segment: number,
  from: number,
  to: number,
): Promise<readonly number[]> {
  const rows: number[] = [];
  for (let at = from; at < to; at += 1) {
    const page = await archive.page(segment, SECTION.postings, Math.floor(at / POSTINGS_PER_PAGE));
    const end = Math.min(to, at - (at % POSTINGS_PER_PAGE) + POSTINGS_PER_PAGE);
    for (; at < end; at += 1) rows.push(page.value(0, at % POSTINGS_PER_PAGE));
    at -= 1;
  }
  return rows;
}

async function restartSums(archive: SegmentArchive, segment: number, posting: number): Promise<Uint32Array> {
  const page = await archive.page(segment, SECTION.restarts, Math.floor(posting / POSTINGS_PER_PAGE));
  const index = (posting % POSTINGS_PER_PAGE) / RESTART_POSTINGS;
  return Uint32Array.from({ length: SUM_WORDS }, (_, word) => page.value(word, index));
}

/** The rows that are needed, by their pages. */
async function rowSource(
  archive: SegmentArchive,
  segment: number,
  rows: readonly number[],
): Promise<RowSource> {
  const { firstRow, afterSequence: sequence, firstMs } = archive.facts(segment);
  const numbers = [...new Set(rows.map((row) => Math.floor(row / ROWS_PER_PAGE)))];
  const pages = await archive.pages(segment, SECTION.rows, numbers);
  const pageOf = (row: number): PackedPage =>
    present(pages.get(Math.floor(row / ROWS_PER_PAGE)), `the page of row ${row} of segment ${segment}`);
  return {
    place: { firstRow, sequence, firstMs },
    value: (column, row) => pageOf(row).value(column, row % ROWS_PER_PAGE),
  };
}

/** Movements of a reference that are in the store, the newest first; and where a next search goes on. */
export async function storedReferenceLines(
  archive: SegmentArchive,
  reference: bigint,
  range: RowRange,
): Promise<{ readonly lines: readonly Line[]; readonly before: number }> {
  const lines: Line[] = [];
  let segment = archive.segmentBefore(range.before);
  for (let left = SEGMENTS_PER_SEARCH; segment > 0 && left > 0; left -= 1, segment -= 1) {
    const { firstRow, rows } = archive.facts(segment);
    if (firstRow + rows <= range.from) return { lines, before: range.from };
    const rest = { ...range, limit: range.limit - lines.length };
    lines.push(...(await ofReference(archive, segment, reference, rest)));
    if (lines.length >= range.limit) return { lines, before: lines.at(-1)?.number ?? 0 };
  }
  const next = segment > 0 ? archive.facts(segment + 1).firstRow : 0;
  return { lines, before: Math.max(next, range.from) };
}

async function ofReference(
  archive: SegmentArchive,
  segment: number,
  reference: bigint,
  range: RowRange,
): Promise<readonly Line[]> {
  const { firstRow, buckets } = archive.facts(segment);
  if (buckets === 0) return [];
  const [a = 0, b = 0, c = 0, d = 0] = wordsOf(reference);
  const hash = referenceHash(a, b, c, d);
  const bucket = bucketOf(hash, buckets);
  const page = (await archive.pages(segment, SECTION.references, [bucket])).get(bucket);
  if (page === undefined) return [];
  const lines: Line[] = [];
  for (let at = page.count; at > 0 && lines.length < range.limit;) {
    const rows: number[] = [];
    for (; at > 0 && rows.length < range.limit; at -= 1) {
      const row = page.value(1, at - 1);
      const isInside = firstRow + row < range.before && firstRow + row >= range.from;
      if (isInside && page.value(0, at - 1) === hash) rows.push(row);
    }
    const source = await rowSource(archive, segment, rows);
    const found = rows.map((row) => lineOf(source, row)).filter((line) => line.reference === reference);
    lines.push(...found.slice(0, range.limit - lines.length));
  }
  return lines;
}
