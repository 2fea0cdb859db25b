import { assert } from '@clawbernetes/kernel';
import type { Row, RowChange, Store } from '@clawbernetes/storage';
import { u32 } from '../machine/cells.ts';
import { idTimeMs } from '../machine/id-time.ts';
import { ENTRY_WORDS, findEntry, PAGE_ENTRIES, pageOf, passesFilter, type IdRun } from './id-run.ts';

/** Rows of pages that are submitted together: about two mebibytes. */
const PAGES_PER_BATCH = 32;
/** Rows of pages that are dropped together. */
const PAGES_PER_DROP = 2000;
/** Pages that are read at once. */
const PAGES_PER_READ = 64;

interface KnownRun {
  readonly sequence: number;
  readonly count: number;
  readonly firstMs: number;
  readonly lastMs: number;
  /** The first id of each page, four words each. */
  readonly firsts: Uint32Array;
  readonly filter: Uint32Array;
}

/**
 * Ids that the machine has set aside, in sorted runs in the store. In memory are only a filter and the first
 * id of each page; an id that comes in the order of time, as nearly all do, is not even looked up there.
 */
export class IdArchive {
  readonly #store: Store;
  #runs: KnownRun[];
  #version = 0;

  private constructor(store: Store, runs: KnownRun[]) {
    this.#store = store;
    this.#runs = runs;
  }

  /** With the runs up to a checkpoint; what came after it never counted. */
  static async open(store: Store, checkpoint: number): Promise<IdArchive> {
    const runs: KnownRun[] = [];
    // Page by page: their filters together are more than one answer may hold.
    for await (const rows of store.scan({ table: 'ledger_id_run', through: checkpoint }))
      runs.push(...rows.map((row) => knownRun(row)));
    return new IdArchive(store, runs);
  }

  /** Rises whenever it comes to hold other runs. */
  get version(): number {
    return this.#version;
  }

  /** Entries that it holds. */
  get size(): number {
    return this.#runs.reduce((sum, { count }) => sum + count, 0);
  }

  /** The latest time of any id in it; −1 while it is empty. */
  get lastMs(): number {
    return this.#runs.reduce((latest, { lastMs }) => Math.max(latest, lastMs), -1);
  }

  /** Stores the pages of a run. They count once `added` with the rows of `runRow`. */
  async write(run: IdRun, sequence: number): Promise<void> {
    const pages = Math.ceil(run.count / PAGE_ENTRIES);
    for (let first = 0; first < pages; first += PAGES_PER_BATCH) {
      const changes: RowChange[] = [];
      for (let page = first; page < Math.min(pages, first + PAGES_PER_BATCH); page += 1) {
        const words = run.entries.subarray(page * PAGE_WORDS, (page + 1) * PAGE_WORDS);
        changes.push({ table: 'ledger_id_page', upsert: { sequence, page, body: bytesOf(words) } });
      }
      await this.#store.submit(changes);
    }
  }

  /** The row that makes a run count, to be submitted with its checkpoint. */
  runRow(run: IdRun, sequence: number): RowChange {
    const facts = { count: run.count, first_ms: run.firstMs, last_ms: run.lastMs };
    const upsert = { sequence, ...facts, firsts: bytesOf(firstsOf(run)), filter: bytesOf(run.filter) };
    return { table: 'ledger_id_run', upsert };
  }

  added(run: IdRun, sequence: number): void {
    const { count, firstMs, lastMs, filter } = run;
    this.#version += 1;
    this.#runs.push({
      sequence,
      count,
      firstMs,
      lastMs,
      firsts: firstsOf(run),
      filter: new Uint32Array(filter),
    });
  }

  /**
   * The time from which on ids are known if only the newest `runs` runs are kept; 0 while there are no more.
   */
  sinceMs(runs: number): number {
    const older = this.#runs.slice(0, Math.max(0, this.#runs.length - runs));
    return older.reduce((latest, { lastMs }) => Math.max(latest, lastMs + 1), 0);
  }

  /**
   * Drops what no replay can need any more, since all replays begin with ids of `sinceMs` at the earliest.
   */
  async dropBefore(sinceMs: number): Promise<void> {
    const old = this.#runs.filter(({ lastMs }) => lastMs < sinceMs);
    if (old.length === 0) return;
    this.#version += 1;
    this.#runs = this.#runs.filter((run) => !old.includes(run));
    for (const { sequence, firsts } of old) {
      const pages = firsts.length / 4;
      // The row last: what is left of a run that counts is dropped after the next opening.
      for (let first = 0; first < pages; first += PAGES_PER_DROP) {
        const length = Math.min(PAGES_PER_DROP, pages - first);
        const some = Array.from({ length }, (_, index) => ({ sequence, page: first + index }));
        await this.#store.submit(some.map((page) => ({ table: 'ledger_id_page', delete: page })));
      }
      await this.#store.submit([{ table: 'ledger_id_run', delete: { sequence } }]);
    }
  }

  /** Where an id could be, by page; nothing is read. */
  whereabouts(words: Uint32Array, at: number): readonly PagePlace[] {
    const timeMs = idTimeMs(words, at);
    const places: PagePlace[] = [];
    for (const { sequence, firstMs, lastMs, firsts, filter } of this.#runs) {
      if (timeMs < firstMs || timeMs > lastMs || !passesFilter(filter, words, at)) continue;
      const page = pageOf(firsts, words, at);
      if (page >= 0) places.push({ sequence, page, id: words.slice(at, at + 4) });
    }
    return places;
  }

  /** The entries of those that are really there. */
  async recall(places: readonly PagePlace[]): Promise<readonly Uint32Array[]> {
    const entries: Uint32Array[] = [];
    for (const [sequence, ofRun] of Map.groupBy(places, (place) => place.sequence)) {
      const pages = [...new Set(ofRun.map(({ page }) => page))];
      for (let first = 0; first < pages.length; first += PAGES_PER_READ) {
        const bodies = await this.#pages(sequence, pages.slice(first, first + PAGES_PER_READ));
        entries.push(...ofRun.flatMap((place) => entryIn(bodies.get(place.page), place) ?? []));
      }
    }
    return entries;
  }

  async #pages(sequence: number, pages: readonly number[]): Promise<Map<number, Uint32Array>> {
    const rows: Row[] = await this.#store.rows
      .selectFrom('ledger_id_page')
      .select(['page', 'body'])
      .where('sequence', '=', sequence)
      .where('page', 'in', pages)
      .execute();
    assert(rows.length === pages.length, 'every page of a run is in the store');
    return new Map(rows.map((row) => [Number(row['page']), wordsOf(row['body'])]));
  }
}

/** A page that may hold an id. */
export interface PagePlace {
  readonly sequence: number;
  readonly page: number;
  readonly id: Uint32Array;
}

function entryIn(page: Uint32Array | undefined, { id }: PagePlace): Uint32Array | undefined {
  const found = page ? findEntry(page, id, 0) : -1;
  return found < 0 ? undefined : page?.slice(found, found + ENTRY_WORDS);
}

const PAGE_WORDS = PAGE_ENTRIES * ENTRY_WORDS;

function knownRun(row: Row): KnownRun {
  return {
    sequence: Number(row['sequence']),
    count: Number(row['count']),
    firstMs: Number(row['first_ms']),
    lastMs: Number(row['last_ms']),
    firsts: wordsOf(row['firsts']),
    filter: wordsOf(row['filter']),
  };
}

function firstsOf({ entries, count }: IdRun): Uint32Array<ArrayBuffer> {
  const pages = Math.ceil(count / PAGE_ENTRIES);
  const firsts = new Uint32Array(4 * pages);
  for (let page = 0; page < pages; page += 1) {
    for (let word = 0; word < 4; word += 1) firsts[4 * page + word] = u32(entries, page * PAGE_WORDS + word);
  }
  return firsts;
}

function bytesOf({ buffer, byteOffset, byteLength }: Uint32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function wordsOf(value: unknown): Uint32Array {
  // A copy, for the bytes may begin anywhere.
  if (!(value instanceof Uint8Array)) throw new TypeError('a column of ids holds bytes');
  return new Uint32Array(value.slice().buffer);
}
