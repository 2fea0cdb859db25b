import { errorCode } from '@clawbernetes/kernel';
import { describe, expect, it } from 'vitest';
import type { Row, RowChange } from '../row.ts';
import type { Schema } from '../schema.ts';
import type { Store, StoreLimits } from '../store.ts';
import { BLOB_BEHAVIOURS } from './blob-behaviours.ts';
import { testSchema } from './test-schema.ts';

/** One place where rows are kept, empty at first; the same rows are there at each opening. */
export interface StoreFixture extends AsyncDisposable {
  open(schema: Schema, limits?: Partial<StoreLimits>): Promise<Store>;
}

export interface StoreSuiteOptions {
  /** Why the suite cannot run here; shown in its name. */
  readonly skipped?: string | undefined;
}

/** What every store does, whichever engine it has. */
export function storeSuite(
  name: string,
  openFixture: () => Promise<StoreFixture>,
  { skipped }: StoreSuiteOptions = {},
): void {
  const title =
    skipped === undefined ? `${name}: the store suite` : `${name}: the store suite [skipped: ${skipped}]`;
  describe.skipIf(skipped !== undefined)(title, () => {
    for (const [behaviour, check] of Object.entries({ ...BEHAVIOURS, ...BLOB_BEHAVIOURS })) {
      it(behaviour, async () => {
        await using fixture = await openFixture();
        await check(fixture);
      });
    }
  });
}

const item = (id: string, more: Row = {}): Row => ({ id, state: 'new', revision: 1, ...more });
const upsert = (row: Row): RowChange => ({ table: 'item', upsert: row });
const insert = (row: Row): RowChange => ({ table: 'item', insert: row });
const remove = (id: string): RowChange => ({ table: 'item', delete: { id } });
const event = (sequence: number, body: string): RowChange => ({
  table: 'event',
  insert: { stream: 's', sequence, body },
});

function detached(): Uint8Array {
  const bytes = new Uint8Array(8);
  structuredClone(bytes, { transfer: [bytes.buffer] });
  return bytes;
}

function items(store: Store): Promise<Record<string, unknown>[]> {
  return store.rows.selectFrom('item').selectAll().orderBy('id').execute();
}

async function states(store: Store): Promise<string> {
  const rows = await items(store);
  return rows.map((row) => `${String(row['id'])}:${String(row['state'])}`).join(' ');
}

/** How each promise ended: `ok` or the code. */
async function ends(promises: readonly Promise<unknown>[]): Promise<string[]> {
  const results = await Promise.allSettled(promises);
  return results.map((result) => (result.status === 'fulfilled' ? 'ok' : String(errorCode(result.reason))));
}

const BEHAVIOURS: Readonly<Record<string, (fixture: StoreFixture) => Promise<void>>> = {
  async 'keeps every kind of value exactly, over a reopening'(fixture) {
    const row = {
      id: 'ünï "quoted" \\ \n 🦀 {a,b} NULL',
      state: '',
      revision: Number.MAX_SAFE_INTEGER,
      weight: 0.1,
      body: Uint8Array.of(0, 1, 92, 34, 255),
    };
    const limits = { ...row, id: 'limits', revision: -(2n ** 63n), weight: 5e-324, body: new Uint8Array() };
    const nulls = { ...row, id: 'nulls', revision: 2n ** 53n - 1n, weight: null, body: null };
    {
      await using store = await fixture.open(testSchema);
      await store.submit([insert(row), upsert(limits), insert(nulls)]);
    }
    await using store = await fixture.open(testSchema);
    expect(await items(store)).toStrictEqual([limits, { ...nulls, revision: Number.MAX_SAFE_INTEGER }, row]);
  },

  async 'upserts keep the columns that they do not name'(fixture) {
    await using store = await fixture.open(testSchema);
    await store.submit([
      insert(item('a', { weight: 2 })),
      upsert({ id: 'a', state: 'run' }),
      upsert({ id: 'a' }),
    ]);
    await store.submit([upsert({ id: 'a', revision: 7 }), upsert(item('b')), upsert({ id: 'b', weight: 3 })]);
    expect(await items(store)).toStrictEqual([
      { id: 'a', state: 'run', revision: 7, weight: 2, body: null },
      { id: 'b', state: 'new', revision: 1, weight: 3, body: null },
    ]);
  },

  async 'applies changes of one key in their order, within a batch and across a group'(fixture) {
    await using store = await fixture.open(testSchema);
    await Promise.all([
      store.submit([insert(item('a')), remove('a'), insert(item('a', { state: 'again' }))]),
      store.submit([upsert(item('b')), remove('b'), remove('absent')]),
      store.submit([upsert(item('c')), upsert(item('c', { state: 'second' }))]),
      store.submit([upsert(item('c', { state: 'third' })), upsert({ id: 'a', revision: 9 })]),
    ]);
    expect(await states(store)).toBe('a:again c:third');
    expect((await items(store))[0]?.['revision']).toBe(9);
  },

  async 'groups what is submitted together into few transactions'(fixture) {
    await using store = await fixture.open(testSchema);
    await Promise.all(Array.from({ length: 500 }, (_, sequence) => store.submit([event(sequence, 'x')])));
    const { transactions, batches, changes, queuedBatches, queuedBytes } = store.stats();
    expect({ batches, changes, queuedBatches, queuedBytes }).toEqual({
      batches: 500,
      changes: 500,
      queuedBatches: 0,
      queuedBytes: 0,
    });
    expect(transactions).toBeLessThanOrEqual(3);
  },

  async 'commits what came before a refused batch, nothing of it and nothing after'(fixture) {
    await using store = await fixture.open(testSchema);
    const failures: string[] = [];
    store.onFailed((error) => failures.push(error.code));
    await store.submit([insert(item('taken'))]);
    const submitted = [
      store.submit([insert(item('before'))]),
      store.submit([insert(item('half')), insert(item('taken', { state: 'twice' }))]),
      store.submit([insert(item('after'))]),
    ];
    expect(await ends(submitted)).toEqual(['ok', 'storage-rejected', 'storage-failed']);
    expect(await ends([store.submit([]), store.submit([upsert(item('later'))])])).toEqual([
      'storage-failed',
      'storage-failed',
    ]);
    expect(failures).toEqual(['storage-rejected']);
    await store[Symbol.asyncDispose]();
    await using reopened = await fixture.open(testSchema);
    expect(await states(reopened)).toBe('before:new taken:new');
  },

  async 'refuses values that the engines would hold differently'(fixture) {
    const refused: RowChange[] = [
      upsert(item('a', { revision: 2 ** 53 })),
      upsert(item('a', { revision: 0.5 })),
      upsert(item('a', { revision: 2n ** 63n })),
      upsert(item('a', { revision: '1' })),
      upsert(item('a', { weight: Number.NaN })),
      upsert(item('a', { state: 'nul \0' })),
      upsert(item('a', { state: 'lone \ud800' })),
      upsert(item('a', { state: null })),
      upsert(item('a', { body: 'text' })),
      upsert(item('a', { body: detached() })),
      upsert(item('a', { colour: 'red' })),
      upsert({ state: 'new' }),
      { table: 'event', insert: { stream: 's', sequence: null } },
      { table: 'nothing', upsert: { id: 'a' } },
      { table: 'item', delete: { id: 'a', state: 'new' } },
    ];
    for (const change of refused) {
      await using store = await fixture.open(testSchema);
      expect(await ends([store.submit([change]), store.submit([])])).toEqual([
        'storage-rejected',
        'storage-failed',
      ]);
    }
    await using store = await fixture.open(testSchema);
    expect(await items(store)).toEqual([]);
  },

  async 'refuses what exceeds its limits and goes on'(fixture) {
    await using store = await fixture.open(testSchema, { maxQueuedBatches: 3, maxQueryRows: 3 });
    const submitted = [0, 1, 2, 3].map((sequence) => store.submit([event(sequence, 'x')]));
    expect(await ends(submitted)).toEqual(['ok', 'ok', 'ok', 'storage-overloaded']);
    const all = store.rows.selectFrom('event').selectAll();
    expect(await all.execute()).toHaveLength(3);
    await store.submit([event(3, 'x')]);
    expect(await ends([all.execute()])).toEqual(['storage-rejected']);
    expect(await all.limit(2).execute()).toHaveLength(2);
  },

  async 'bounds the bytes that wait, the size of a batch and of an answer'(fixture) {
    {
      await using store = await fixture.open(testSchema, { maxQueuedBytes: 3000 });
      const submitted = [0, 1, 2].map((sequence) => store.submit([event(sequence, 'x'.repeat(1400))]));
      expect(await ends(submitted)).toEqual(['ok', 'ok', 'storage-overloaded']);
    }
    await using store = await fixture.open(testSchema, { maxBatchChanges: 2, maxQueryBytes: 2000 });
    const bodies = store.rows.selectFrom('event').select('body').orderBy('sequence');
    expect(await bodies.limit(1).execute()).toHaveLength(1);
    expect(await ends([bodies.execute()])).toEqual(['storage-rejected']);
    expect(await ends([store.submit([event(7, ''), event(8, ''), event(9, '')])])).toEqual([
      'storage-rejected',
    ]);
  },

  async 'raises the writer term with every opening'(fixture) {
    const terms: number[] = [];
    for (let opening = 0; opening < 3; opening += 1) {
      await using store = await fixture.open(testSchema);
      terms.push(store.term);
    }
    expect(terms).toEqual([1, 2, 3]);
  },

  async 'has one writer at a time'(fixture) {
    await using store = await fixture.open(testSchema);
    expect(await ends([fixture.open(testSchema)])).toEqual(['storage-in-use']);
    await store.submit([insert(item('a'))]);
    expect(await states(store)).toBe('a:new');
  },

  async 'reads only committed rows, and only reads'(fixture) {
    await using store = await fixture.open(testSchema);
    await store.submit([insert(item('a')), insert(item('b', { revision: 2n ** 62n }))]);
    const written = store.rows.insertInto('item').values(item('c')).execute();
    expect(await ends([written])).not.toEqual(['ok']);
    expect(await ends([store.rows.deleteFrom('item').execute()])).not.toEqual(['ok']);
    const { fn } = store.rows;
    const totals = store.rows
      .selectFrom('item')
      .select([fn.countAll().as('count'), fn.max('revision').as('most')]);
    expect(await totals.executeTakeFirst()).toStrictEqual({ count: 2, most: 2n ** 62n });
    const sums = store.rows.selectFrom('item').select(fn.sum('revision').as('sum')).where('id', '=', 'a');
    expect(await sums.executeTakeFirst()).toStrictEqual({ sum: 1 });
    const mine = store.rows
      .selectFrom('item')
      .select('id')
      .where('revision', '=', 2n ** 62n);
    expect(await mine.execute()).toStrictEqual([{ id: 'b' }]);
  },

  async 'runs each migration once, in the order of names, and refuses a newer database'(fixture) {
    await using store = await fixture.open({ ...testSchema, migrations: testSchema.migrations.toReversed() });
    await store.submit([insert(item('a'))]);
    await store[Symbol.asyncDispose]();
    const addColumn = {
      name: 'test-0003-colour',
      async up(database: Store['rows']) {
        await database.schema.alterTable('item').addColumn('colour', 'text').execute();
      },
    };
    const newer = { ...testSchema, migrations: [...testSchema.migrations, addColumn] };
    {
      await using upgraded = await fixture.open(newer);
      await upgraded.submit([upsert({ id: 'a', colour: 'red' })]);
    }
    expect(await ends([fixture.open(testSchema)])).toEqual(['storage-newer']);
    await using again = await fixture.open(newer);
    expect(await items(again)).toMatchObject([{ id: 'a', state: 'new', colour: 'red' }]);
  },

  async 'leaves nothing of a migration that fails'(fixture) {
    const broken = {
      name: 'test-0003-broken',
      async up(database: Store['rows']) {
        await database.schema.createTable('half').addColumn('id', 'text').execute();
        throw new Error('no further');
      },
    };
    const schema = { ...testSchema, migrations: [...testSchema.migrations, broken] };
    await expect(fixture.open(schema)).rejects.toMatchObject({
      code: 'storage-failed',
      message: expect.stringContaining('test-0003-broken: no further'),
    });
    await using store = await fixture.open(testSchema);
    expect(await ends([store.rows.selectFrom('half').selectAll().execute()])).toEqual(['storage-rejected']);
  },

  async 'refuses a table whose columns the engines would hold differently'(fixture) {
    const up = async (database: Store['rows']): Promise<void> => {
      await database.schema.createTable('small').addColumn('id', 'integer').execute();
    };
    const schema = {
      tables: [{ name: 'small', key: ['id'] }],
      migrations: [{ name: 'test-0001-small', up }],
    };
    await expect(fixture.open(schema)).rejects.toMatchObject({
      code: 'storage-rejected',
      message: expect.stringContaining('small.id is declared'),
    });
  },

  async 'writes what was submitted before it closes, and nothing afterwards'(fixture) {
    const store = await fixture.open(testSchema);
    const submitted = store.submit([insert(item('a'))]);
    await store[Symbol.asyncDispose]();
    await submitted;
    expect(await ends([store.submit([insert(item('b'))]), items(store)])).toEqual([
      'storage-failed',
      'storage-failed',
    ]);
    await using reopened = await fixture.open(testSchema);
    expect(await states(reopened)).toBe('a:new');
  },
};
