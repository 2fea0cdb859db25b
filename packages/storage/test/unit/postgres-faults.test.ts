// Shows that a PostgreSQL writer that lost its lease or its connection never commits, and that faults are
// named.
import { errorCode, silentLogger, sleep, systemClock, systemRandom, type Clock } from '@clawbernetes/kernel';
import { openPostgresStore, type Store } from '@clawbernetes/storage';
import { startTestPostgres, testSchema } from '@clawbernetes/storage/testing';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { openRelay } from './tcp-relay.ts';
import { acknowledgedUntilKilled, expectWhole } from './writer-process.ts';

const started = await startTestPostgres();
const skipped = 'skipped' in started ? started.skipped : undefined;
if (!('skipped' in started)) afterAll(() => started[Symbol.asyncDispose]());

/** Time passes but nothing is renewed: a process that hangs. */
const frozenClock: Clock = { ...systemClock, after: () => ({ cancel: () => undefined }) };

function server(): Exclude<typeof started, { readonly skipped: string }> {
  if ('skipped' in started) throw new Error(started.skipped);
  return started;
}

async function open(
  url: string,
  more: { clock?: Clock; leaseMs?: number; waitMs?: number } = {},
): Promise<Store> {
  const { clock = systemClock, leaseMs = 5000, waitMs = 10_000 } = more;
  const deps = { clock, random: systemRandom, logger: silentLogger };
  const store = await openPostgresStore(deps, { url, schema: testSchema, leaseMs, waitMs });
  onTestFinished(() => store[Symbol.asyncDispose]());
  return store;
}

/** Writes one event after the other until that fails; answers how many were acknowledged and why it ended. */
async function writeUntilFailure(store: Store): Promise<{ acknowledged: number; code: string | undefined }> {
  for (let sequence = 0; ; sequence += 1) {
    const event = { table: 'event', insert: { stream: 's', sequence } };
    const body = new Uint8Array(sequence % 3 === 0 ? 100_000 : 10);
    const record = { table: 'record', insert: { sequence, time_ms: 0, body } };
    const code = await store.submit([event, record]).then(() => undefined, errorCode);
    if (code !== undefined) return { acknowledged: sequence, code };
  }
}

async function countEvents(store: Store): Promise<number> {
  const count = (await store.rows.selectFrom('event').select('sequence').execute()).length;
  let records = 0;
  for await (const page of store.scan({ table: 'record' })) records += page.length;
  expect([0, count]).toContain(records); // tests that write events only have none
  return count;
}

async function terminateWriters(url: string): Promise<void> {
  const text = `select pg_terminate_backend(pid) from pg_stat_activity
    where application_name = 'clawbernetes-writer' and datname = current_database()`;
  await server().query(text, url);
}

describe.skipIf(skipped)(`PostgreSQL faults${skipped === undefined ? '' : ` [skipped: ${skipped}]`}`, () => {
  it('keeps what was acknowledged through kill −9 at random moments', async () => {
    const url = await server().createDatabase();
    let written = 0;
    for (const count of [1, 150, 37]) {
      const acknowledged = await acknowledgedUntilKilled('postgres', url, { first: written, count });
      const store = await open(url, { leaseMs: 500 });
      written = await expectWhole(store, acknowledged);
      await store[Symbol.asyncDispose]();
    }
  });

  it('keeps the lease while it lives, and a waiting opener gives up', async () => {
    const url = await server().createDatabase();
    const store = await open(url, { leaseMs: 400 });
    await expect(open(url, { leaseMs: 400, waitMs: 1300 })).rejects.toMatchObject({ code: 'storage-in-use' });
    await store.submit([{ table: 'event', insert: { stream: 's', sequence: 0 } }]);
    expect(await countEvents(store)).toBe(1);
  });

  it('fences a writer whose lease was taken over, even in the middle of its work', async () => {
    const url = await server().createDatabase();
    const loser = await open(url, { clock: frozenClock, leaseMs: 300 });
    const failures: string[] = [];
    loser.onFailed((error) => failures.push(error.code));
    const writing = writeUntilFailure(loser);
    const winner = await open(url, { leaseMs: 5000 });
    const seen = await countEvents(winner);
    const { acknowledged, code } = await writing;
    expect(code).toBe('storage-fenced');
    expect(failures).toEqual(['storage-fenced']);
    expect(acknowledged).toBeGreaterThan(0);
    expect(acknowledged).toBe(seen);
    expect(await countEvents(winner)).toBe(seen);
    expect(winner.term).toBe(loser.term + 1);
  });

  it('finds out by itself that its lease was taken over', async () => {
    const url = await server().createDatabase();
    const store = await open(url, { leaseMs: 300 });
    const failed = Promise.withResolvers<string>();
    store.onFailed((error) => failed.resolve(error.code));
    await server().query('update storage_writer set term = term + 1', url);
    expect(await failed.promise).toBe('storage-fenced');
  });

  it('leaves nothing of a transaction whose connection is cut before its end', async () => {
    const url = await server().createDatabase();
    const loser = await open(url, { clock: frozenClock, leaseMs: 1000 });
    await loser.submit([{ table: 'item', insert: { id: 'held', state: 'old', revision: 1 } }]);
    const blocker = server()
      .query('begin; select * from item for update; select pg_sleep(30)', url)
      .catch(errorCode);
    await blocked(url, "query like '%pg_sleep%'");
    const submitted = loser
      .submit([
        { table: 'event', insert: { stream: 's', sequence: 0 } },
        { table: 'item', upsert: { id: 'held', state: 'new' } },
      ])
      .then(() => 'ok', errorCode);
    await blocked(url, "application_name = 'clawbernetes-writer' and wait_event_type = 'Lock'");
    const winner = open(url).catch(() => open(url));
    await terminateWriters(url); // the loser, and perhaps the winner's first try
    expect(await submitted).toBe('storage-unavailable');
    const store = await winner;
    expect(await countEvents(store)).toBe(0);
    await server()
      .query(`select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep(30)%'
      and pid <> pg_backend_pid()`);
    expect(await blocker).toBe('57P01');
    expect(await store.rows.selectFrom('item').select('state').execute()).toEqual([{ state: 'old' }]);
  });

  it('loses nothing acknowledged when its connection is cut at any moment', async () => {
    const url = await server().createDatabase();
    for (const delayMs of [0, 3, 7, 15, 40]) {
      await server().query('drop table if exists event, item, record, storage_migration', url);
      const store = await open(url);
      const failures: string[] = [];
      store.onFailed((error) => failures.push(error.code));
      const writing = writeUntilFailure(store);
      await sleep(systemClock, delayMs);
      await terminateWriters(url);
      const { acknowledged, code } = await writing;
      expect(failures).toEqual(['storage-unavailable']);
      expect(['storage-unavailable', 'storage-failed']).toContain(code); // within a commit, or between two
      await store[Symbol.asyncDispose]();
      await server().query(`update storage_writer set expires_at = '-infinity'`, url);
      const reopened = await open(url);
      const there = await countEvents(reopened);
      expect([acknowledged, acknowledged + 1]).toContain(there); // the one in flight may have made it
      await reopened[Symbol.asyncDispose]();
    }
  });

  it('gives up when the server stops answering for longer than the lease', async () => {
    const url = await server().createDatabase();
    const relay = await openRelay(url);
    const store = await open(relay.url, { leaseMs: 600 });
    const failed = Promise.withResolvers<string>();
    store.onFailed((error) => failed.resolve(error.code));
    await store.submit([{ table: 'event', insert: { stream: 's', sequence: 0 } }]);
    relay.freeze();
    const submitted = store
      .submit([{ table: 'event', insert: { stream: 's', sequence: 1 } }])
      .then(() => 'ok', errorCode);
    expect(await failed.promise).toBe('storage-unavailable');
    expect(await submitted).toBe('storage-unavailable');
    const next = await open(url);
    expect(await countEvents(next)).toBe(1);
    expect(next.term).toBe(store.term + 1);
  });

  it('commits many batches in few transactions', async () => {
    const url = await server().createDatabase();
    const store = await open(url);
    const transactionId = async (): Promise<number> =>
      Number((await server().query('select pg_current_xact_id()::text as id', url))[0]?.['id']);
    const before = await transactionId();
    const submit = (sequence: number): Promise<void> =>
      store.submit([
        { table: 'event', insert: { stream: 's', sequence } },
        { table: 'item', upsert: { id: `i${sequence % 7}`, state: 'x', revision: sequence } },
      ]);
    await Promise.all(Array.from({ length: 1000 }, (_, sequence) => submit(sequence)));
    expect(store.stats()).toMatchObject({ batches: 1000, transactions: 1 });
    expect((await transactionId()) - before).toBeLessThan(20); // others may share the server
  });

  it('commits in their order what only a constraint can tell apart', async () => {
    const url = await server().createDatabase();
    await (await open(url))[Symbol.asyncDispose]();
    await server().query('create unique index item_state on item (state)', url);
    const store = await open(url);
    await store.submit([{ table: 'item', insert: { id: 'a', state: 'only', revision: 1 } }]);
    await store.submit([
      { table: 'item', insert: { id: 'c', state: 'other', revision: 1 } },
      { table: 'item', delete: { id: 'a' } },
      { table: 'item', insert: { id: 'b', state: 'only', revision: 1 } },
    ]);
    const rows = await store.rows.selectFrom('item').select(['id', 'state']).orderBy('id').execute();
    expect(rows).toEqual([
      { id: 'b', state: 'only' },
      { id: 'c', state: 'other' },
    ]);
  });

  it('keeps blobs as they are given, also in a table made before', async () => {
    const url = await server().createDatabase();
    await (await open(url))[Symbol.asyncDispose]();
    const storage = async (): Promise<unknown> =>
      server().query(
        `select attstorage::text as kind from pg_attribute where attname = 'body'
        and atttypid = 'bytea'::regtype`,
        url,
      );
    expect(await storage()).toEqual([{ kind: 'e' }, { kind: 'e' }]);
    await server().query('alter table record alter column body set storage extended', url);
    await open(url);
    expect(await storage()).toEqual([{ kind: 'e' }, { kind: 'e' }]);
  });

  it('names a server that is away, a database that is missing and one that is read-only', async () => {
    await expect(open('postgres://user:secret@127.0.0.1:1/none')).rejects.toMatchObject({
      code: 'storage-unavailable',
      message: expect.not.stringContaining('secret'),
    });
    const url = await server().createDatabase();
    await expect(open(`${url}_missing`)).rejects.toMatchObject({ code: 'storage-unavailable' });
    const name = new URL(url).pathname.slice(1);
    await server().query(`alter database ${name} set default_transaction_read_only = on`);
    await expect(open(url)).rejects.toMatchObject({ code: 'storage-read-only' });
  });
});

/** Waits until the server shows a session that matches. */
async function blocked(url: string, condition: string): Promise<void> {
  const text = `select pid from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and ${condition}`;
  await expect.poll(() => server().query(text, url), { timeout: 10_000 }).not.toHaveLength(0);
}
