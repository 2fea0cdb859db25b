import type { Row, RowChange, Store } from '@clawbernetes/storage';
import { INDEX_FIELDS } from './packed-page.ts';
import type { SealedSegment, SegmentFacts } from './seal-segment.ts';

/** Stored at once: little, so that no frame has to wait for much; more while the history is behind. */
const BATCH_BYTES = 128 * 1024;
const HURRIED_BATCH_BYTES = 1024 * 1024;
const MAX_BATCH_PAGES = 2000;
/** On their way to the disk at once: more than one, so that none waits for the commit of the one before. */
const BATCHES_IN_FLIGHT = 3;

/**
 * Stores a segment: its pages, then the row that makes them count.
 * @param isBehind whether it hurries just now.
 */
export async function writeSegment(
  store: Store,
  sealed: SealedSegment,
  isBehind: () => boolean,
): Promise<void> {
  const flying: Promise<void>[] = [];
  for (const changes of pageBatches(sealed, isBehind)) {
    const stored = store.submit(changes);
    stored.catch(() => undefined); // awaited here, unless one before it fails
    flying.push(stored);
    if (flying.length >= BATCHES_IN_FLIGHT) await flying.shift();
  }
  await Promise.all(flying);
  await store.submit([segmentRow(sealed)]);
}

/** Drops pages of segments that came to nothing, so that none is taken for a later one's. */
export async function dropUnfinished(store: Store, last: number): Promise<void> {
  for (;;) {
    const rows: Row[] = await store.rows
      .selectFrom('ledger_segment_page')
      .select(['segment', 'section', 'page'])
      .where('segment', '>', last)
      .limit(MAX_BATCH_PAGES)
      .execute();
    if (rows.length === 0) return;
    await store.submit(rows.map((row) => ({ table: 'ledger_segment_page', delete: row })));
  }
}

function* pageBatches(
  { segment, pages }: SealedSegment,
  isBehind: () => boolean,
): Generator<readonly RowChange[], void, undefined> {
  const { bytes, index } = pages;
  let changes: RowChange[] = [];
  let size = 0;
  for (let at = 0; at < index.length; at += INDEX_FIELDS) {
    const [section = 0, page = 0, offset = 0, length = 0] = index.subarray(at, at + INDEX_FIELDS);
    const body = bytes.subarray(offset, offset + length);
    changes.push({ table: 'ledger_segment_page', insert: { segment, section, page, body } });
    size += length;
    const wanted = isBehind() ? HURRIED_BATCH_BYTES : BATCH_BYTES;
    if (size < wanted && changes.length < MAX_BATCH_PAGES) continue;
    yield changes;
    changes = [];
    size = 0;
  }
  if (changes.length > 0) yield changes;
}

function segmentRow(facts: SegmentFacts): RowChange {
  const insert = {
    segment: facts.segment,
    first_row: facts.firstRow,
    rows: facts.rows,
    after_sequence: facts.afterSequence,
    sequence: facts.sequence,
    first_ms: facts.firstMs,
    last_ms: facts.lastMs,
    accounts: facts.accounts,
    buckets: facts.buckets,
    heads: facts.hasHeads ? 1 : 0,
    times: new Uint8Array(facts.times.buffer, facts.times.byteOffset, facts.times.byteLength),
  };
  return { table: 'ledger_segment', insert };
}

export function segmentFacts(row: Row): SegmentFacts {
  const times = row['times'];
  if (!(times instanceof Uint8Array)) throw new TypeError('times of a segment are bytes');
  return {
    segment: Number(row['segment']),
    firstRow: Number(row['first_row']),
    rows: Number(row['rows']),
    afterSequence: Number(row['after_sequence']),
    sequence: Number(row['sequence']),
    firstMs: Number(row['first_ms']),
    lastMs: Number(row['last_ms']),
    accounts: Number(row['accounts']),
    buckets: Number(row['buckets']),
    hasHeads: Number(row['heads']) === 1,
    // A copy, for the bytes may begin anywhere.
    times: new Uint32Array(times.slice().buffer),
  };
}
