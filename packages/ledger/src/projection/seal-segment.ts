import { u32 } from '../machine/cells.ts';
import type { AccountHeads } from './account-heads.ts';
import { FEED, FEED_WORDS } from './movement-feed.ts';
import { columnOf, type PackedPages, type PageWriter } from './packed-page.ts';
import { referenceHash } from './reference-hash.ts';
import {
  ACCOUNTS_PER_PAGE,
  bucketOf,
  bucketsFor,
  POSTINGS_PER_PAGE,
  RESTART_POSTINGS,
  ROWS_PER_PAGE,
  SECTION,
} from './segment-layout.ts';
import type { Tail } from './tail.ts';
import { applyChange, CREDIT_SIDE, DEBIT_SIDE, SUM_WORDS, type Side } from './wide-sum.ts';

/** A segment on its way to the store. */
export interface SealedSegment extends SegmentFacts {
  readonly pages: PackedPages;
}

export interface SegmentFacts {
  /** From 1 on, without gaps. */
  readonly segment: number;
  /** Number of its first movement, and how many it has. */
  readonly firstRow: number;
  readonly rows: number;
  /** The last frame before it, and its own last one. */
  readonly afterSequence: number;
  readonly sequence: number;
  readonly firstMs: number;
  readonly lastMs: number;
  /** Accounts in it. */
  readonly accounts: number;
  /** Buckets of its references, a power of two; 0 without references. */
  readonly buckets: number;
  /** Whether the heads of all accounts after it are stored with it. */
  readonly hasHeads: boolean;
  /** Of each page of rows: the time of its first row, ms after `firstMs`. */
  readonly times: Uint32Array<ArrayBuffer>;
}

/** What is kept of a sealed tail while its segment is not stored: where its accounts were before. */
export interface Predecessors {
  /** Ascending. */
  readonly accounts: Uint32Array;
  /** Newest segment of each that is before this one. */
  readonly segments: Uint32Array;
}

export interface SealRequest {
  readonly tail: Tail;
  readonly heads: AccountHeads;
  /** Where they go. */
  readonly pages: PageWriter;
  /** Whether the heads of all accounts are stored with it. */
  readonly hasHeads: boolean;
}

/**
 * Makes a segment of a tail: its rows; postings, which are rows by account in their order; sums at every
 * RESTART_POSTINGS-th posting; accounts; rows by reference. Moves the heads of its accounts to it.
 */
export function sealSegment({ tail, heads, pages, hasHeads }: SealRequest): {
  readonly sealed: SealedSegment;
  readonly predecessors: Predecessors;
} {
  const times = writeRows(pages, tail);
  const predecessors = writeAccounts(pages, tail, heads);
  const buckets = writeReferences(pages, tail);
  if (hasHeads) writeHeads(pages, heads);
  const { segment, firstRow, sequence: afterSequence } = tail.start;
  const { rows, sequence, firstMs, lastMs, touched: accounts } = tail;
  const facts = { segment, firstRow, rows, afterSequence, sequence, firstMs, lastMs, accounts };
  return { sealed: { ...facts, buckets, hasHeads, times, pages: pages.finish() }, predecessors };
}

function writeRows(pages: PageWriter, tail: Tail): Uint32Array<ArrayBuffer> {
  const { rows } = tail;
  const columns = tail.columns();
  const times = new Uint32Array(Math.ceil(rows / ROWS_PER_PAGE));
  for (let page = 0; page < times.length; page += 1) {
    const from = page * ROWS_PER_PAGE;
    pages.add(SECTION.rows, page, columns, from, Math.min(rows, from + ROWS_PER_PAGE));
    times[page] = u32(tail.times, from);
  }
  return times;
}

function writeAccounts(pages: PageWriter, tail: Tail, heads: AccountHeads): Predecessors {
  const accounts = tail.accounts.subarray(0, tail.touched).toSorted();
  const firsts = new Uint32Array(accounts.length);
  const counts = new Uint32Array(accounts.length);
  const previous = new Uint32Array(accounts.length);
  const after = Array.from({ length: SUM_WORDS }, () => new Uint32Array(accounts.length));
  /** By slot: where its next posting goes. */
  const next = new Uint32Array(accounts.length);
  let posting = 0;
  for (const [index, account] of accounts.entries()) {
    const slot = u32(heads.slots, account) - 1;
    firsts[index] = posting;
    next[slot] = posting;
    counts[index] = u32(tail.counts, slot);
    posting += u32(tail.counts, slot);
    previous[index] = heads.segment(account);
    heads.segments[account] = tail.start.segment;
    for (const [word, column] of after.entries()) column[index] = u32(heads.sums, account * SUM_WORDS + word);
  }
  writePostings(pages, tail, heads, next);
  for (const account of accounts) heads.slots[account] = 0;
  for (let from = 0; from < accounts.length; from += ACCOUNTS_PER_PAGE) {
    const to = Math.min(accounts.length, from + ACCOUNTS_PER_PAGE);
    // Found by the first account in it.
    const columns = [accounts, firsts, counts, previous, ...after].map(columnOf);
    pages.add(SECTION.accounts, u32(accounts, from), columns, from, to);
  }
  return { accounts, segments: previous };
}

function writePostings(pages: PageWriter, tail: Tail, heads: AccountHeads, next: Uint32Array): void {
  const postings = new Uint32Array(2 * tail.rows);
  const restarts = new Uint32Array(Math.ceil(postings.length / RESTART_POSTINGS) * SUM_WORDS);
  const sums = tail.before.slice(0, tail.touched * SUM_WORDS);
  const { words, rows } = tail;
  const { slots } = heads;
  const post = (row: number, account: number, side: Side, effect: number): void => {
    const slot = u32(slots, account) - 1;
    const at = u32(next, slot);
    next[slot] = at + 1;
    postings[at] = row;
    if (at % RESTART_POSTINGS === 0) copySums(sums, slot, restarts, at / RESTART_POSTINGS);
    applyChange(sums, slot * SUM_WORDS + side, effect, words, row * FEED_WORDS + FEED.amount);
  };
  for (let row = 0; row < rows; row += 1) {
    const effect = u32(words, row * FEED_WORDS + FEED.tail) & 0xff;
    post(row, u32(words, row * FEED_WORDS + FEED.debit), DEBIT_SIDE, effect);
    post(row, u32(words, row * FEED_WORDS + FEED.credit), CREDIT_SIDE, effect);
  }
  const sumColumns = Array.from({ length: SUM_WORDS }, (_, first) => ({
    cells: restarts,
    first,
    stride: SUM_WORDS,
  }));
  const perPage = POSTINGS_PER_PAGE / RESTART_POSTINGS;
  for (let from = 0, page = 0; from < postings.length; from += POSTINGS_PER_PAGE, page += 1) {
    const to = Math.min(postings.length, from + POSTINGS_PER_PAGE);
    pages.add(SECTION.postings, page, [columnOf(postings)], from, to);
    pages.add(SECTION.restarts, page, sumColumns, page * perPage, Math.ceil(to / RESTART_POSTINGS));
  }
}

function copySums(sums: Uint32Array, slot: number, to: Uint32Array, index: number): void {
  for (let word = 0; word < SUM_WORDS; word += 1)
    to[index * SUM_WORDS + word] = u32(sums, slot * SUM_WORDS + word);
}

/** @returns the number of buckets. */
function writeReferences(pages: PageWriter, tail: Tail): number {
  const { words } = tail;
  const hashes = new Uint32Array(tail.rows);
  const rows = new Uint32Array(tail.rows);
  let count = 0;
  for (let row = 0; row < tail.rows; row += 1) {
    const at = row * FEED_WORDS + FEED.reference;
    const hash = referenceHash(u32(words, at), u32(words, at + 1), u32(words, at + 2), u32(words, at + 3));
    if (hash === 0) continue;
    hashes[count] = hash;
    rows[count] = row;
    count += 1;
  }
  if (count === 0) return 0;
  const buckets = bucketsFor(count);
  const ends = new Uint32Array(buckets + 1);
  for (let index = 0; index < count; index += 1) {
    const bucket = bucketOf(u32(hashes, index), buckets) + 1;
    ends[bucket] = u32(ends, bucket) + 1;
  }
  for (let bucket = 1; bucket <= buckets; bucket += 1)
    ends[bucket] = u32(ends, bucket) + u32(ends, bucket - 1);
  const firsts = ends.slice();
  const sorted = [new Uint32Array(count), new Uint32Array(count)] as const;
  for (let index = 0; index < count; index += 1) {
    const bucket = bucketOf(u32(hashes, index), buckets);
    const at = u32(ends, bucket);
    sorted[0][at] = u32(hashes, index);
    sorted[1][at] = u32(rows, index);
    ends[bucket] = at + 1;
  }
  const columns = sorted.map(columnOf);
  for (let bucket = 0; bucket < buckets; bucket += 1) {
    const [from, to] = [u32(firsts, bucket), u32(firsts, bucket + 1)];
    if (to > from) pages.add(SECTION.references, bucket, columns, from, to);
  }
  return buckets;
}

function writeHeads(pages: PageWriter, heads: AccountHeads): void {
  const sums = Array.from({ length: SUM_WORDS }, (_, first) => ({
    cells: heads.sums,
    first,
    stride: SUM_WORDS,
  }));
  const columns = [columnOf(heads.segments), ...sums];
  for (let from = 0, page = 0; from < heads.size; from += ACCOUNTS_PER_PAGE, page += 1)
    pages.add(SECTION.heads, page, columns, from, Math.min(heads.size, from + ACCOUNTS_PER_PAGE));
}
