// Shows on both engines that an audit in a thread of its own reports what one in this thread does, with few
// ids in memory and while the ledger is in use; and that it ends with a reason however it is stopped.
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { silentLogger, systemClock, systemRandom } from '@clawbernetes/kernel';
import { auditInThread, auditLedger, Ledger, type AuditProgress } from '@clawbernetes/ledger';
import type { Row, RowChange, Store } from '@clawbernetes/storage';
import { startTestPostgres } from '@clawbernetes/storage/testing';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { reportOf } from '../../src/audit/audit-thread.ts';
import { openLedgerStore } from '../journal/open-ledger-store.ts';
import { bookAging } from './aging-load.ts';

const server = await startTestPostgres();
if (!('skipped' in server)) afterAll(() => server[Symbol.asyncDispose]());
const ROUNDS = 150;
/** So that ids are set aside, and forgotten, many times. */
const LEDGER = { ledgerId: 'audited', heldIds: 150, maxIdRuns: 6 };
const FEW = { ledgerId: LEDGER.ledgerId, heldIds: 64 };

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'claw-audit-'));
});
afterEach(() => rm(folder, { recursive: true }));

function openLedger(store: Store): Promise<Ledger> {
  return Ledger.open({ store, clock: systemClock, random: systemRandom, logger: silentLogger }, LEDGER);
}

/** What a load that outlives the memory of ids is answered. */
const AGING_ANSWERS = ['ok', 'id-conflict', 'id-too-old', 'pending-already-posted', 'pending-not-found'];
/** Ids are set aside and forgotten beside the load, which must go on until they are. */
const MAX_TURNS = 50;

async function fill(store: Store): Promise<ReadonlySet<string>> {
  await using ledger = await openLedger(store);
  let answers: ReadonlySet<string> = new Set();
  for (let turn = 0; turn < MAX_TURNS && !AGING_ANSWERS.every((name) => answers.has(name)); turn += 1)
    answers = answers.union(await bookAging(ledger, ROUNDS));
  return answers;
}

/** Where an audit keeps its ids: a folder that shows what it leaves behind. */
async function scratchFolder(): Promise<string> {
  return mkdtemp(path.join(folder, 'scratch-'));
}

type Place = () => Promise<string>;

function testAudits(place: Place): void {
  testReports(place);
  testFindings(place);
  testIds(place);
  testEnds(place);
}

function testReports(place: Place): void {
  it('comes to the same report, with few ids in memory, and leaves nothing behind', async () => {
    await using store = await openLedgerStore(await place());
    const answers = await fill(store);
    expect([...answers]).toEqual(expect.arrayContaining(AGING_ANSWERS));
    const here = await auditLedger(store, LEDGER);
    expect(here.discrepancies).toEqual([]);
    const scratch = await scratchFolder();
    expect(await auditInThread(store, { ...FEW, folder: scratch })).toEqual(here);
    expect(await auditInThread(store, { ...FEW, heldIds: 5, folder: scratch })).toEqual(here);
    expect(await readdir(scratch)).toEqual([]);
  });

  it('says how far it is', async () => {
    await using store = await openLedgerStore(await place());
    await fill(store);
    const said: AuditProgress[] = [];
    const { totals } = await auditInThread(store, { ...FEW, folder, onProgress: (now) => said.push(now) });
    expect(said[0]).toEqual({ frames: 0, of: totals.frames });
    expect(said.at(-1)).toEqual({ frames: totals.frames, of: totals.frames });
    expect(said.map(({ frames }) => frames)).toEqual(
      said.map(({ frames }) => frames).toSorted((a, b) => a - b),
    );
  });

  it('finds nothing wrong with a ledger that goes on', async () => {
    await using store = await openLedgerStore(await place());
    await using ledger = await openLedger(store);
    await bookAging(ledger, 30);
    const enough = new AbortController();
    const booking = (async () => {
      while (!enough.signal.aborted) await bookAging(ledger, 20);
    })();
    try {
      for (let round = 0; round < 3; round += 1) {
        const through = ledger.sequence;
        await ledger.settled();
        const { discrepancies, totals } = await auditInThread(store, { ...FEW, folder, through });
        expect(discrepancies).toEqual([]);
        expect(totals.frames).toBeGreaterThanOrEqual(through);
      }
    } finally {
      enough.abort();
      await booking;
    }
  });
}

function testFindings(place: Place): void {
  it('finds what was changed behind the ledger’s back', async () => {
    await using store = await openLedgerStore(await place());
    await fill(store);
    const upsert = { sequence: 30, hash: new Uint8Array(32) };
    await store.submit([{ table: 'ledger_frame', upsert }]);
    const { discrepancies } = await auditInThread(store, { ...FEW, folder });
    expect(discrepancies).toMatchObject([{ kind: 'answers-differ', sequence: 30 }]);
  });

  it('finds a checkpoint of a frame that is not there', async () => {
    await using store = await openLedgerStore(await place());
    await fill(store);
    const newest = (await auditLedger(store, LEDGER)).totals.frames;
    const facts = { time_ms: 1, since_ms: 0, hash: new Uint8Array(32), parts: 0 };
    await store.submit([{ table: 'ledger_checkpoint', insert: { sequence: newest + 7, ...facts } }]);
    const { discrepancies } = await auditInThread(store, { ...FEW, folder, through: newest });
    expect(discrepancies).toMatchObject([{ kind: 'checkpoint-differs', sequence: newest }]);
  });
}

function testEnds(place: Place): void {
  it('ends at once when it is cancelled, and leaves nothing behind', async () => {
    await using store = await openLedgerStore(await place());
    await fill(store);
    const scratch = await scratchFolder();
    const stop = new AbortController();
    const reason = new Error('enough');
    const { signal } = stop;
    const cancelled = auditInThread(store, {
      ...FEW,
      folder: scratch,
      signal,
      onProgress: () => stop.abort(reason),
    });
    await expect(cancelled).rejects.toBe(reason);
    await expect(auditInThread(store, { ...FEW, folder: scratch, signal })).rejects.toBe(reason);
    expect(await readdir(scratch)).toEqual([]);
    expect((await auditInThread(store, { ...FEW, folder: scratch })).discrepancies).toEqual([]);
  });

  it('says so when the ids have no room', async () => {
    await using store = await openLedgerStore(await place());
    await fill(store);
    const small = auditInThread(store, { ...FEW, folder, maxBytes: 10_000 });
    await expect(small).rejects.toMatchObject({ code: 'audit-too-large' });
  });
}

/** One run of the ledger, the first of those that are there. */
async function firstRun(store: Store): Promise<Row> {
  const query = store.rows.selectFrom('ledger_id_run').selectAll().orderBy('sequence').limit(1);
  return query.executeTakeFirstOrThrow();
}

function testIds(place: Place): void {
  it('finds ids that the ledger has forgotten or invented behind its own back', async () => {
    await using store = await openLedgerStore(await place());
    await fill(store);
    expect((await auditInThread(store, { ...FEW, folder })).discrepancies).toEqual([]);
    const { sequence, filter, ...facts } = await firstRun(store);
    const row = { sequence: Number(sequence), filter: filter as Uint8Array };
    const page = await store.rows
      .selectFrom('ledger_id_page')
      .select('body')
      .where('sequence', '=', row.sequence)
      .executeTakeFirstOrThrow();
    const body = page['body'] as Uint8Array;
    const changes: readonly RowChange[] = [
      {
        table: 'ledger_id_run',
        upsert: { sequence: row.sequence, filter: new Uint8Array(row.filter.length) },
      },
      { table: 'ledger_id_run', delete: { sequence: row.sequence } },
      { table: 'ledger_id_page', delete: { sequence: row.sequence, page: 0 } },
      { table: 'ledger_id_page', upsert: { sequence: row.sequence, page: 0, body: withOutcome(body) } },
    ];
    for (const change of changes) {
      await store.submit([change]);
      const { discrepancies } = await auditInThread(store, { ...FEW, folder });
      expect(discrepancies.map(({ kind }) => kind)).toEqual(['ids-differ']);
      await store.submit([
        { table: 'ledger_id_run', upsert: { ...facts, ...row } },
        { table: 'ledger_id_page', upsert: { sequence: row.sequence, page: 0, body } },
      ]);
    }
    expect((await auditInThread(store, { ...FEW, folder })).discrepancies).toEqual([]);
  });
}

/** The last of its ids with another outcome. */
function withOutcome(body: Uint8Array): Uint8Array {
  const changed = Uint8Array.from(body);
  changed[changed.length - 4] = (changed[changed.length - 4] ?? 0) ^ 1;
  return changed;
}

describe('an audit in a thread, on SQLite', () => {
  testAudits(async () => path.join(folder, 'ledger.sqlite'));

  it('ends when the store is closed', async () => {
    const store = await openLedgerStore(path.join(folder, 'ledger.sqlite'));
    await fill(store);
    const closed: Promise<void>[] = [];
    const onProgress = (): void => void closed.push(Promise.resolve(store[Symbol.asyncDispose]()));
    // Further than the pages that are read ahead.
    const audit = auditInThread(store, { ...FEW, folder, onProgress });
    await expect(audit).rejects.toMatchObject({ code: 'storage-failed' });
    await Promise.all(closed);
  });
});

const skipped = 'skipped' in server ? server.skipped : undefined;
const title = 'an audit in a thread, on PostgreSQL';
describe.skipIf(skipped !== undefined)(
  skipped === undefined ? title : `${title} [skipped: ${skipped}]`,
  () => {
    testAudits(async () => {
      if ('skipped' in server) throw new Error(server.skipped);
      return server.createDatabase();
    });
  },
);

describe('a thread that dies', () => {
  it.each([
    ['ends', 'process.exit(3)', 'code 3'],
    ['throws', 'throw new Error("out of luck")', 'out of luck'],
    ['runs out of memory', 'const all = []; for (;;) all.push({ all: [...all] });', 'memory'],
  ])('is an error where it %s', async (_, code, why) => {
    const resourceLimits = { maxOldGenerationSizeMb: 32 };
    const died = reportOf(new Worker(code, { eval: true, resourceLimits }), {});
    await expect(died).rejects.toMatchObject({ code: 'audit-failed', message: expect.stringContaining(why) });
  });
});
