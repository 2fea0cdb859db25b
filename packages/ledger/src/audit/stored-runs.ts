import { assert } from '@clawbernetes/kernel';
import type { Row, RowReader } from '@clawbernetes/storage';
import { compareIds, ENTRY_WORDS, pageOf, passesFilter } from '../journal/id-run.ts';
import { idTimeMs } from '../machine/id-time.ts';
import type { SortedPages } from './merged-ids.ts';

/** Pages that are read at once, of 64 KiB: of every run at a time. */
const PAGES_PER_READ = 4;

interface StoredRun {
  readonly sequence: number;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly firsts: Uint32Array;
  readonly filter: Uint32Array;
}

/**
 * The runs of ids that a store holds up to a checkpoint, earliest first; reading stops where one is not what
 * a lookup needs, so that what it lacks is found by whoever compares.
 */
export async function storedRuns(rows: RowReader, through: number): Promise<readonly SortedPages[]> {
  const runs: SortedPages[] = [];
  for await (const page of rows.scan({ table: 'ledger_id_run', through }))
    for (const row of page) runs.push(pagesOf(rows, storedRun(row)));
  return runs;
}

function storedRun(row: Row): StoredRun {
  return {
    sequence: Number(row['sequence']),
    firstMs: Number(row['first_ms']),
    lastMs: Number(row['last_ms']),
    firsts: words(row['firsts']),
    filter: words(row['filter']),
  };
}

async function* pagesOf(rows: RowReader, run: StoredRun): SortedPages {
  const count = Math.floor(run.firsts.length / 4);
  for (let first = 0; first < count; first += PAGES_PER_READ) {
    const found: Row[] = await rows.rows
      .selectFrom('ledger_id_page')
      .select(['page', 'body'])
      .where('sequence', '=', run.sequence)
      .where('page', '>=', first)
      .where('page', '<', Math.min(count, first + PAGES_PER_READ))
      .orderBy('page')
      .execute();
    for (const row of found) {
      const entries = words(row['body']);
      if (!canBeFound(entries, Number(row['page']), run)) return;
      yield entries;
    }
  }
}

/** Whether a lookup would come upon each of these entries. */
function canBeFound(
  entries: Uint32Array,
  page: number,
  { firsts, filter, firstMs, lastMs }: StoredRun,
): boolean {
  if (entries.length % ENTRY_WORDS !== 0) return false;
  for (let at = 0; at < entries.length; at += ENTRY_WORDS) {
    const timeMs = idTimeMs(entries, at);
    const isAscending = at === 0 || compareIds(entries, at - ENTRY_WORDS, entries, at) < 0;
    if (!isAscending || timeMs < firstMs || timeMs > lastMs) return false;
    if (pageOf(firsts, entries, at) !== page || !passesFilter(filter, entries, at)) return false;
  }
  return true;
}

function words(value: unknown): Uint32Array {
  assert(value instanceof Uint8Array, 'a column of ids holds bytes');
  // A copy, for the bytes may begin anywhere; half a word is none.
  return new Uint32Array(value.slice(0, value.byteLength - (value.byteLength % 4)).buffer);
}
