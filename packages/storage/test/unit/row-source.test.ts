// Shows that the rows of an open store can be read past it: only read, and in step with what it commits.
import { seededRandom, silentLogger, systemClock, systemRandom } from '@clawbernetes/kernel';
import {
  MemoryDisk,
  openMemoryStore,
  openPostgresStore,
  openRowSource,
  sourcePorts,
  type OpenRows,
  type Store,
} from '@clawbernetes/storage';
import { startTestPostgres, testSchema } from '@clawbernetes/storage/testing';
import { afterAll, describe, expect, it } from 'vitest';
import { openSqliteFixture } from './sqlite-fixture.ts';

const server = await startTestPostgres();
if (!('skipped' in server)) afterAll(() => server[Symbol.asyncDispose]());
const skipped = 'skipped' in server ? server.skipped : undefined;
const ROWS = 40;
/** Together more than one of their pages holds. */
const BODY_BYTES = 100_000;

async function openPostgres(): Promise<Store> {
  if ('skipped' in server) throw new Error(server.skipped);
  const url = await server.createDatabase();
  const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
  return openPostgresStore(deps, { url, schema: testSchema, namespace: 'apart', waitMs: 0 });
}

async function openSqlite(stack: AsyncDisposableStack): Promise<Store> {
  const fixture = stack.use(await openSqliteFixture());
  return fixture.open(testSchema);
}

/** As another thread gets them. */
async function openRows(store: Store): Promise<OpenRows> {
  const rows = await store.share();
  if (!rows) throw new Error('this store shares its rows');
  return openRowSource(structuredClone(rows, { transfer: [...sourcePorts(rows)] }));
}

async function write(store: Store, first: number, count = ROWS): Promise<void> {
  for (let sequence = first; sequence < first + count; sequence += 1) {
    const body = new Uint8Array(BODY_BYTES).fill(sequence);
    await store.submit([{ table: 'record', insert: { sequence, time_ms: sequence, body } }]);
  }
}

async function scanned(
  rows: OpenRows,
  table = 'record',
): Promise<{ readonly pages: number; readonly found: unknown[] }> {
  const found: unknown[] = [];
  let pages = 0;
  for await (const page of rows.scan({ table })) {
    pages += 1;
    found.push(...page.map(({ sequence, body }) => [sequence, body instanceof Uint8Array && body[0]]));
  }
  return { pages, found };
}

const ENGINES = [
  { name: 'SQLite', open: openSqlite, without: undefined },
  { name: 'PostgreSQL', open: openPostgres, without: skipped },
];

for (const { name, open, without } of ENGINES) {
  const title = without === undefined ? name : `${name} [skipped: ${without}]`;
  describe.skipIf(without !== undefined)(`${title}: rows that another thread reads`, () => {
    it('are what the store has committed, page by page', async () => {
      await using stack = new AsyncDisposableStack();
      const store = stack.use(await open(stack));
      await write(store, 1);
      const rows = stack.use(await openRows(store));
      const { pages, found } = await scanned(rows);
      expect(found).toEqual(Array.from({ length: ROWS }, (_, index) => [index + 1, index + 1]));
      expect(pages).toBeGreaterThan(2);
      await write(store, ROWS + 1, 1);
      const query = rows.rows.selectFrom('record').select('sequence').where('sequence', '>', ROWS);
      expect(await query.execute()).toEqual([{ sequence: ROWS + 1 }]);
    });

    it('are read while the store writes', async () => {
      await using stack = new AsyncDisposableStack();
      const store = stack.use(await open(stack));
      await write(store, 1);
      const rows = stack.use(await openRows(store));
      const [{ found }] = await Promise.all([scanned(rows), write(store, ROWS + 1)]);
      expect(found.slice(0, ROWS)).toEqual(
        Array.from({ length: ROWS }, (_, index) => [index + 1, index + 1]),
      );
      expect((await scanned(rows)).found).toHaveLength(2 * ROWS);
    });

    it('cannot be changed', async () => {
      await using stack = new AsyncDisposableStack();
      const store = stack.use(await open(stack));
      await write(store, 1, 1);
      const rows = stack.use(await openRows(store));
      await expect(rows.rows.deleteFrom('record').execute()).rejects.toMatchObject({
        code: expect.stringMatching(/^storage-re/),
      });
      expect((await scanned(rows)).found).toHaveLength(1);
      const refused = scanned(rows, 'none');
      await expect(refused).rejects.toMatchObject({ code: 'storage-rejected' });
    });

    it('end where they are closed, and the store goes on', async () => {
      await using stack = new AsyncDisposableStack();
      const store = stack.use(await open(stack));
      const rows = await openRows(store);
      await rows[Symbol.asyncDispose]();
      await expect(scanned(rows)).rejects.toMatchObject({ code: 'storage-failed' });
      await write(store, 1, 1);
      expect(await store.rows.selectFrom('record').select('sequence').execute()).toHaveLength(1);
    });
  });
}

it('whoever reads past a file hears that its store was closed, and does not wait', async () => {
  await using stack = new AsyncDisposableStack();
  const store = await openSqlite(stack);
  await write(store, 1);
  const rows = stack.use(await openRows(store));
  await store[Symbol.asyncDispose]();
  await expect(scanned(rows)).rejects.toMatchObject({ code: 'storage-failed' });
  await expect(store.share()).rejects.toMatchObject({ code: 'storage-failed' });
});

it('a simulated disk has no rows to share', async () => {
  const disk = new MemoryDisk({ clock: systemClock, random: seededRandom(1) }, { minMs: 0, maxMs: 0 });
  await using store = await openMemoryStore({ clock: systemClock }, disk, { schema: testSchema });
  expect(await store.share()).toBeUndefined();
});
