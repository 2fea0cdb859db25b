import { assert, present } from '@clawbernetes/kernel';
import type { Row, Store } from '@clawbernetes/storage';
import { PackedPage } from './packed-page.ts';
import { PageCache } from './page-cache.ts';
import type { SegmentFacts } from './seal-segment.ts';
import { ACCOUNT_COLUMN, ACCOUNTS_PER_PAGE, ROWS_PER_PAGE, SECTION, type Section } from './segment-layout.ts';
import { segmentFacts } from './segment-writer.ts';
import { COLUMN } from './tail.ts';
import { SUM_WORDS } from './wide-sum.ts';

/** Pages that one query reads: 4 MiB at the very most. */
const PAGES_PER_READ = 64;

/** An account in a segment. */
export interface AccountEntry {
  /** Its postings: the first of them, and their number. */
  readonly first: number;
  readonly count: number;
  /** Newest segment before this one that it is in; 0 for none. */
  readonly previous: number;
  /** SUM_WORDS sums after the segment. */
  readonly after: Uint32Array;
}

/** Segments in the store. In memory are their facts, about 4 bytes per page of rows, and a cache of pages. */
export class SegmentArchive {
  readonly #store: Store;
  readonly #cache: PageCache;
  readonly #segments: SegmentFacts[];

  private constructor(store: Store, segments: SegmentFacts[], cacheBytes: number) {
    this.#store = store;
    this.#segments = segments;
    this.#cache = new PageCache(cacheBytes);
  }

  static async open(store: Store, cacheBytes: number): Promise<SegmentArchive> {
    const segments: SegmentFacts[] = [];
    for await (const page of store.scan({ table: 'ledger_segment' }))
      segments.push(...page.map(segmentFacts));
    for (const [index, { segment }] of segments.entries())
      assert(segment === index + 1, `segment ${index + 1} of the history is in the store`);
    return new SegmentArchive(store, segments, cacheBytes);
  }

  /** Number of the newest segment; 0 for none. */
  get last(): number {
    return this.#segments.length;
  }

  /** Movements in all of them. */
  get rows(): number {
    const last = this.#segments.at(-1);
    return last === undefined ? 0 : last.firstRow + last.rows;
  }

  get sequence(): number {
    return this.#segments.at(-1)?.sequence ?? 0;
  }

  /** Time of the last movement in them, ms. */
  get timeMs(): number {
    return this.#segments.at(-1)?.lastMs ?? 0;
  }

  added(facts: SegmentFacts): void {
    assert(facts.segment === this.last + 1, 'segments are added in their order');
    this.#segments.push(facts);
  }

  facts(segment: number): SegmentFacts {
    return present(this.#segments[segment - 1], `segment ${segment} of the history`);
  }

  /** The last segment with a movement before this number; 0 if there is none. */
  segmentBefore(row: number): number {
    let [low, high] = [0, this.#segments.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.facts(middle + 1).firstRow < row) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The next segment from this one on after which the heads of all accounts were stored; 0 if none was. */
  headsAfter(segment: number): number {
    for (let at = Math.max(1, segment); at <= this.last; at += 1) if (this.facts(at).hasHeads) return at;
    return 0;
  }

  /** Number of the first stored movement of this time or later; of the next one to be stored if none is. */
  async rowAt(timeMs: number): Promise<number> {
    let [low, high] = [0, this.#segments.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.facts(middle + 1).lastMs < timeMs) low = middle + 1;
      else high = middle;
    }
    if (low === this.#segments.length) return this.rows;
    const { segment, firstRow, rows, firstMs, times } = this.facts(low + 1);
    const offset = timeMs - firstMs;
    const page = times.findLastIndex((time) => time < offset);
    if (page < 0) return firstRow;
    const cells = await this.page(segment, SECTION.rows, page);
    let row = 0;
    while (row < cells.count && cells.value(COLUMN.time, row) < offset) row += 1;
    return firstRow + Math.min(rows, page * ROWS_PER_PAGE + row);
  }

  async entry(segment: number, account: number): Promise<AccountEntry> {
    const row: Row | undefined = await this.#store.rows
      .selectFrom('ledger_segment_page')
      .select(['page', 'body'])
      .where('segment', '=', segment)
      .where('section', '=', SECTION.accounts)
      .where('page', '<=', account)
      .orderBy('page', 'desc')
      .limit(1)
      .executeTakeFirst();
    const page = pageOf(row?.['body']);
    const index = indexOf(page, account);
    assert(index >= 0, `account number ${account} is in segment ${segment} of the history`);
    return {
      first: page.value(ACCOUNT_COLUMN.first, index),
      count: page.value(ACCOUNT_COLUMN.count, index),
      previous: page.value(ACCOUNT_COLUMN.previous, index),
      after: Uint32Array.from({ length: SUM_WORDS }, (_, word) =>
        page.value(ACCOUNT_COLUMN.after + word, index),
      ),
    };
  }

  /** Newest segment of an account, up to `segment` itself, after which heads were stored. */
  async head(segment: number, account: number): Promise<number> {
    const number = Math.floor(account / ACCOUNTS_PER_PAGE);
    const page = (await this.pages(segment, SECTION.heads, [number])).get(number);
    const index = account % ACCOUNTS_PER_PAGE;
    return page === undefined || index >= page.count ? 0 : page.value(0, index);
  }

  async page(segment: number, section: Section, page: number): Promise<PackedPage> {
    const pages = await this.pages(segment, section, [page]);
    return present(pages.get(page), `page ${page} of section ${section} of segment ${segment}`);
  }

  /** Those of the pages that there are. */
  async pages(
    segment: number,
    section: Section,
    numbers: readonly number[],
  ): Promise<Map<number, PackedPage>> {
    const pages = new Map<number, PackedPage>();
    const missing: number[] = [];
    for (const number of numbers) {
      const page = this.#cache.get(`${segment}.${section}.${number}`);
      if (page) pages.set(number, page);
      else missing.push(number);
    }
    for (let from = 0; from < missing.length; from += PAGES_PER_READ) {
      const rows: Row[] = await this.#store.rows
        .selectFrom('ledger_segment_page')
        .select(['page', 'body'])
        .where('segment', '=', segment)
        .where('section', '=', section)
        .where('page', 'in', missing.slice(from, from + PAGES_PER_READ))
        .execute();
      for (const row of rows) {
        const [number, page] = [Number(row['page']), pageOf(row['body'])];
        pages.set(number, page);
        this.#cache.add(`${segment}.${section}.${number}`, page);
      }
    }
    return pages;
  }

  /** All pages of a section in their order, some at a time. */
  async *section(segment: number, section: Section): AsyncGenerator<PackedPage, void, undefined> {
    for (let after = -1; ;) {
      const rows: Row[] = await this.#store.rows
        .selectFrom('ledger_segment_page')
        .select(['page', 'body'])
        .where('segment', '=', segment)
        .where('section', '=', section)
        .where('page', '>', after)
        .orderBy('page')
        .limit(PAGES_PER_READ)
        .execute();
      for (const row of rows) yield pageOf(row['body']);
      if (rows.length < PAGES_PER_READ) return;
      after = Number(rows.at(-1)?.['page']);
    }
  }
}

function pageOf(body: unknown): PackedPage {
  assert(body instanceof Uint8Array, 'a page of the history is bytes');
  return new PackedPage(body);
}

function indexOf(page: PackedPage, account: number): number {
  let [low, high] = [0, page.count - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const found = page.value(ACCOUNT_COLUMN.account, middle);
    if (found === account) return middle;
    if (found < account) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}
