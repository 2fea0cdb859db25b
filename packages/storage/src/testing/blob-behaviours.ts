import { errorCode, seededRandom } from '@clawbernetes/kernel';
import { expect } from 'vitest';
import type { Row, RowChange } from '../row.ts';
import type { RowRange } from '../row-scan.ts';
import type { ScannedRow, Store } from '../store.ts';
import type { StoreFixture } from './store-suite.ts';
import { testSchema } from './test-schema.ts';

const random = seededRandom(3);
const KIB = 1024;

const record = (sequence: number | bigint, body: Uint8Array | null, more: Row = {}): RowChange => ({
  table: 'record',
  insert: { sequence, time_ms: 5, body, ...more },
});

/** Bytes that nothing can compress. */
function blob(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 32 * KIB) bytes.set(random.bytes(Math.min(32 * KIB, size - at)), at);
  return bytes;
}

async function scanned(store: Store, range: Partial<RowRange> = {}): Promise<(readonly ScannedRow[])[]> {
  const pages: (readonly ScannedRow[])[] = [];
  for await (const page of store.scan({ table: 'record', ...range })) pages.push(page);
  return pages;
}

async function bodies(store: Store): Promise<unknown[]> {
  return (await scanned(store)).flat().map((row) => row['body']);
}

async function sequences(store: Store, range: Partial<RowRange> = {}): Promise<unknown[][]> {
  return (await scanned(store, range)).map((page) => page.map((row) => row['sequence']));
}

/** Compared as bytes at once: an unequal megabyte would print for minutes. */
function expectSame(actual: readonly unknown[], expected: readonly (Uint8Array | null)[]): void {
  expect(actual.map((body) => (body instanceof Uint8Array ? body.byteLength : body))).toEqual(
    expected.map((body) => body?.byteLength ?? null),
  );
  for (const [index, body] of expected.entries()) {
    if (body !== null) expect(Buffer.compare(actual[index] as Uint8Array, body), `body ${index}`).toBe(0);
  }
}

/** What every store does with blobs and with rows in the order of an integer key. */
export const BLOB_BEHAVIOURS: Readonly<Record<string, (fixture: StoreFixture) => Promise<void>>> = {
  async 'keeps blobs of every size and kind of memory exactly'(fixture) {
    const shared = new Uint8Array(new SharedArrayBuffer(100 * KIB), 7, 90 * KIB);
    shared.set(blob(90 * KIB));
    const within = blob(300 * KIB).subarray(100 * KIB, 180 * KIB);
    const sizes = [0, 1, 8191, 8192, 8193, 655 * KIB, 3000 * KIB].map(blob);
    const given = [...sizes, shared, within, Buffer.from('pooled'), null, blob(40 * KIB)];
    {
      await using store = await fixture.open(testSchema);
      await Promise.all(given.map((body, sequence) => store.submit([record(sequence, body)])));
      expectSame(await bodies(store), given);
      expect(shared.byteLength + within.byteLength).toBe(170 * KIB); // the caller's memory stays
    }
    await using store = await fixture.open(testSchema);
    expectSame(await bodies(store), given);
    const rows = await store.rows.selectFrom('record').select('body').orderBy('sequence').execute();
    const read = rows.map((row): unknown => row['body']);
    expectSame(read, given);
  },

  async 'keeps many blobs of one batch, in one shape or several, and changes them'(fixture) {
    await using store = await fixture.open(testSchema);
    const first = Array.from({ length: 300 }, (_, index) => (index % 7 === 0 ? null : blob(index * 3)));
    await store.submit(first.map((body, sequence) => record(sequence, body)));
    const large = blob(50 * KIB);
    await store.submit([
      { table: 'record', upsert: { sequence: 1, body: large } },
      { table: 'record', upsert: { sequence: 2, body: blob(0) } },
      { table: 'record', upsert: { sequence: 3, time_ms: 5, body: null, note: null, share: null } },
      { table: 'record', delete: { sequence: 4 } },
    ]);
    expectSame(await bodies(store), [null, large, blob(0), null, ...first.slice(5)]);
  },

  async 'takes the largest blob it allows, and refuses a larger one with a code'(fixture) {
    {
      const limits = { maxBatchBytes: 100 * KIB, maxQueuedBytes: 10 * KIB, maxGroupBytes: 10 * KIB };
      await using store = await fixture.open(testSchema, limits);
      const largest = blob(100 * KIB - 32); // beside it: two integers, what a blob and a change weigh
      await store.submit([record(1, largest)]);
      expectSame(await bodies(store), [largest]);
      const larger = store.submit([record(2, blob(largest.byteLength + 1))]).then(() => 'ok', errorCode);
      expect(await larger).toBe('storage-rejected');
      expect(await store.submit([]).then(() => 'ok', errorCode)).toBe('storage-failed');
    }
    await using store = await fixture.open(testSchema);
    expect(await sequences(store)).toEqual([[1]]);
  },

  async 'writes a batch of blobs whole or not at all'(fixture) {
    const kept = blob(20 * KIB);
    {
      await using store = await fixture.open(testSchema);
      const ends = await Promise.allSettled([
        store.submit([record(1, kept)]),
        store.submit([record(2, blob(30 * KIB)), record(3, blob(9)), record(1, blob(20 * KIB))]),
        store.submit([record(4, blob(20 * KIB))]),
      ]);
      expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    }
    await using store = await fixture.open(testSchema);
    expect(await sequences(store)).toEqual([[1]]);
    expectSame(await bodies(store), [kept]);
  },

  async 'scans every kind of value in the order of the key, smallest and largest keys included'(fixture) {
    await using store = await fixture.open(testSchema);
    const keys = [2n ** 63n - 1n, -(2n ** 63n), 10, 9, 0, -1, 2n ** 53n + 1n];
    const texts = { note: 'ünï "quoted" \\ 🦀', share: -0.125 };
    await store.submit(keys.map((sequence) => record(sequence, Uint8Array.of(1, 0, 255), texts)));
    const ordered = [-(2n ** 63n), -1, 0, 9, 10, 2n ** 53n + 1n, 2n ** 63n - 1n];
    const rows = ordered.map((sequence) => ({
      sequence,
      time_ms: 5,
      body: Uint8Array.of(1, 0, 255),
      ...texts,
    }));
    expect((await scanned(store)).flat()).toStrictEqual(rows);
    expect(await sequences(store, { from: 0, through: 10 })).toEqual([[0, 9, 10]]);
    expect(await sequences(store, { from: 11, through: 2n ** 53n })).toEqual([]);
    expect(await sequences(store, { from: 2n ** 63n - 1n })).toEqual([[2n ** 63n - 1n]]);
  },

  async 'scans in pages that are bounded in rows and bytes, a row at least'(fixture) {
    await using store = await fixture.open(testSchema, { maxPageRows: 4, maxPageBytes: 10 * KIB });
    const sizes = [1, 1, 1, 1, 1, 1, 6, 6, 6, 50, 50, 1];
    await store.submit(sizes.map((size, sequence) => record(sequence, blob(size * KIB))));
    const pages = await sequences(store);
    expect(pages.flat()).toEqual(sizes.map((_, sequence) => sequence));
    expect(Math.max(...pages.map((page) => page.length))).toBe(4);
    expect(pages).toContainEqual([10]);
    for (const page of pages) {
      const allButLast = page.slice(0, -1).map((sequence) => sizes[Number(sequence)] ?? 0);
      expect(allButLast.reduce((sum, size) => sum + size, 0)).toBeLessThan(10);
    }
  },

  async 'ends a scan early when its reader leaves or its signal says so'(fixture) {
    await using store = await fixture.open(testSchema, { maxPageRows: 1 });
    await store.submit([1, 2, 3].map((sequence) => record(sequence, blob(10))));
    for await (const [row] of store.scan({ table: 'record' })) {
      expect(row?.['sequence']).toBe(1);
      break;
    }
    const controller = new AbortController();
    const seen: unknown[] = [];
    const reading = async (): Promise<void> => {
      for await (const [row] of store.scan({ table: 'record' }, { signal: controller.signal })) {
        seen.push(row?.['sequence']);
        controller.abort(new Error('enough'));
      }
    };
    await expect(reading()).rejects.toThrow('enough');
    expect(seen).toEqual([1]);
    expect(await sequences(store)).toEqual([[1], [2], [3]]);
  },

  async 'refuses to scan what has no integer key, and a store that is closed'(fixture) {
    const store = await fixture.open(testSchema);
    const code = (table: string): Promise<unknown> => scanned(store, { table }).then(() => 'ok', errorCode);
    expect([await code('event'), await code('item'), await code('nothing'), await code('record')]).toEqual([
      'storage-rejected',
      'storage-rejected',
      'storage-rejected',
      'ok',
    ]);
    await store[Symbol.asyncDispose]();
    expect(await code('record')).toBe('storage-failed');
  },
};
