// Measures the history: what it costs whoever books, what it takes in beside a ledger at full speed, and how
// long questions about busy and about quiet accounts take. Usage: node --conditions=@clawbernetes/source
// packages/ledger/test/perf/projection.ts [transfers] [accounts]
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { seededRandom, silentLogger, systemClock, systemRandom } from '@clawbernetes/kernel';
import {
  encodeAccounts,
  Ledger,
  LEDGER_SCHEMA,
  LedgerMachine,
  NO_FLOOR,
  TRANSFER_FLAGS,
  TransferBatch,
} from '@clawbernetes/ledger';
import { joinSchemas, openSqliteStore, type Store } from '@clawbernetes/storage';
import { MovementFeed } from '../../src/projection/movement-feed.ts';
import { HISTORY_SCHEMA } from '../../src/projection/projection-schema.ts';
import { Projection } from '../../src/projection/projection.ts';
import { Projector } from '../../src/projection/projector.ts';

const [TRANSFERS, ACCOUNTS] = [Number(process.argv[2] ?? 2_000_000), Number(process.argv[3] ?? 10_000)];
const BATCH = 8190;
const HOT = 1n;
const COLD = BigInt(ACCOUNTS + 1);
const random = seededRandom(1);
const below = (bound: number): number => Math.floor(random.fraction() * bound);
const logger = silentLogger;

function accounts(from: number, count: number): Uint8Array {
  const owner = new Uint8Array(32);
  const facts = { owner, floor: NO_FLOOR, asset: 1, code: 1, flags: 0 };
  return encodeAccounts(
    Array.from({ length: count }, (_, index) => ({ ...facts, id: BigInt(from + index) })),
  );
}

let nextId = 0n;

/** Pending transfers, every fourth of them to the hot account, and then their posts. */
function pair(nowMs: number, count: number): readonly [TransferBatch, TransferBatch] {
  const [reserves, posts] = [new TransferBatch(count), new TransferBatch(count)];
  const time = BigInt(nowMs) << 80n;
  for (let index = 0; index < count; index += 1) {
    const pendingId = time | (BigInt(below(2 ** 30)) << 40n) | (nextId += 1n);
    const debit = 2 + below(ACCOUNTS - 1);
    const credit = index % 4 === 0 ? 1 : 2 + ((debit - 1 + below(ACCOUNTS - 2)) % (ACCOUNTS - 1));
    const reference = time | nextId;
    const common = { reference, code: 1001 };
    const [debitAccount, creditAccount] = [BigInt(debit), BigInt(credit)];
    const amount = BigInt(1 + below(1000));
    reserves.add({
      ...common,
      id: pendingId,
      debitAccount,
      creditAccount,
      amount,
      flags: TRANSFER_FLAGS.pending,
    });
    posts.add({ ...common, id: time | (nextId += 1n), pendingId, flags: TRANSFER_FLAGS.post });
  }
  return [reserves, posts];
}

/** Cost of the parts alone, ns for each movement. */
function parts(rounds: number): Record<string, number> {
  const machine = new LedgerMachine({ seed: 1 }, { expectedIds: 3 * rounds * BATCH });
  const feed = new MovementFeed();
  machine.advance(Date.now());
  for (let from = 1; from <= ACCOUNTS; from += 5000)
    machine.openAccounts(accounts(from, Math.min(5000, ACCOUNTS + 1 - from)));
  let [noting, taking, sealing, sequence, bytes, sealed] = [0, 0, 0, 0, 0, 0];
  let sealStart = 0;
  const projector = new Projector((reply) => {
    if (!('sealed' in reply)) return;
    bytes += reply.sealed.pages.bytes.length;
    sealed += reply.sealed.rows;
    queue.push(reply.sealed.segment);
  });
  const queue: number[] = [];
  const state = { segment: 0, rows: 0, sequence: 0, timeMs: 0, sinceHeads: { segments: 0, accounts: 0 } };
  const none = new Uint32Array(0);
  projector.handle({ open: { ...state, segments: none, sums: none }, options: { segmentRows: 1e9 } });
  for (let round = 0; round < rounds; round += 1) {
    for (const batch of pair(Date.now(), BATCH)) {
      machine.transfer(batch.bytes);
      let start = performance.now();
      feed.transfers(batch.bytes, machine.outcome);
      feed.endFrame((sequence += 1), machine.timeMs);
      feed.durable(sequence);
      const taken = feed.take();
      noting += performance.now() - start;
      start = performance.now();
      if (taken) projector.handle({ batch: taken });
      taking += performance.now() - start;
    }
    if (round % 30 === 29) {
      sealStart = performance.now();
      projector.handle({ seal: true });
      sealing += performance.now() - sealStart;
      for (const segment of queue.splice(0)) projector.handle({ stored: segment });
    }
  }
  const movements = rounds * BATCH * 2;
  const ns = (ms: number, count: number): number => Math.round((ms * 1e6) / count);
  return {
    mainThreadNs: ns(noting, movements),
    workerTakeNs: ns(taking, movements),
    workerSealNs: ns(sealing, sealed),
    storedBytes: Math.round((bytes / sealed) * 10) / 10,
  };
}

async function timed(work: () => Promise<unknown>, times = 20): Promise<string> {
  const took: number[] = [];
  for (let time = 0; time < times; time += 1) {
    const start = performance.now();
    await work();
    took.push(performance.now() - start);
  }
  took.sort((left, right) => left - right);
  return `${took[times >> 1]?.toFixed(1)} ms (first-run and slowest ${took.at(-1)?.toFixed(1)} ms)`;
}

async function book(ledger: Ledger, projection: Projection | undefined): Promise<Record<string, number>> {
  const flying: Promise<unknown>[] = [];
  let [making, wrong, mostLag] = [0, 0, 0];
  const start = performance.now();
  for (let done = 0; done < TRANSFERS; done += BATCH) {
    const made = performance.now();
    const batches = pair(Date.now(), Math.min(BATCH, TRANSFERS - done));
    making += performance.now() - made;
    for (const batch of batches) {
      const answer = ledger.submit({ kind: 'transfers', items: batch.bytes });
      flying.push(
        answer.then((codes) => (wrong += codes.reduce((sum, code) => sum + (code === 0 ? 0 : 1), 0))),
      );
    }
    mostLag = Math.max(mostLag, projection?.lag().movements ?? 0);
    while (flying.length > 8) await flying.shift();
  }
  await Promise.all(flying);
  const bookedMs = performance.now() - start - making;
  await projection?.settled();
  const ms = performance.now() - start - making;
  const perSecond = (took: number): number => Math.round((TRANSFERS / took) * 1000);
  return { transfersPerSecond: perSecond(bookedMs), untilFound: perSecond(ms), wrong, mostLag };
}

async function whole(isProjected: boolean): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'projection-'));
  const path = join(folder, 'ledger.sqlite');
  const schema = joinSchemas([LEDGER_SCHEMA, HISTORY_SCHEMA]);
  const clock = systemClock;
  const open = (): Promise<Store> => openSqliteStore({ clock, logger }, { path, schema, pageBytes: 16_384 });
  const store = await open();
  const projection = isProjected ? await Projection.open({ store, logger }) : undefined;
  const deps = { store, clock, random: systemRandom, logger, ...(projection && { projection }) };
  const ledger = await Ledger.open(deps, { ledgerId: 'perf' });
  for (let from = 1; from <= ACCOUNTS + 1; from += 5000)
    await ledger.submit({ kind: 'accounts', items: accounts(from, Math.min(5000, ACCOUNTS + 2 - from)) });
  const early = new TransferBatch(1);
  const id = (BigInt(Date.now()) << 80n) | 1n;
  early.add({ id, debitAccount: COLD, creditAccount: 2n, amount: 5n, code: 1, reference: 77n });
  await ledger.submit({ kind: 'transfers', items: early.bytes });
  console.log(isProjected ? 'with history' : 'without', await book(ledger, projection));
  if (projection) await questions(projection);
  console.log('bytes of the file', Math.round(statSync(path).size / 1e6), 'MB');
  await ledger[Symbol.asyncDispose]();
  await projection?.[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
  if (projection) await reopen(open);
  rmSync(folder, { recursive: true });
}

async function questions({ history }: Projection): Promise<void> {
  const some = (): bigint => BigInt(2 + below(ACCOUNTS - 1));
  const newest = (await history.account(HOT, { limit: 1 })).movements[0];
  const middle = Math.floor((newest?.number ?? 0) / 2);
  console.log('hot, newest 100:', await timed(() => history.account(HOT, { limit: 100 })));
  console.log(
    'hot, 100 in the middle:',
    await timed(() => history.account(HOT, { limit: 100, after: middle + below(1e5) })),
  );
  console.log('some, newest 100:', await timed(() => history.account(some(), { limit: 100 })));
  console.log(
    'some, 100 in the middle:',
    await timed(() => history.account(some(), { limit: 100, after: middle })),
  );
  console.log('cold, its only one:', await timed(() => history.account(COLD, { limit: 100 })));
  console.log('reference, the oldest:', await timed(() => history.reference(77n, { limit: 100 })));
  const toMs = Date.now() + 1000;
  console.log(
    'statement of a hot account:',
    await timed(() => history.statement(HOT, { fromMs: toMs - 3000, toMs })),
  );
  console.log('400 days:', await timed(() => history.days(HOT, { fromMs: toMs - 399 * 86_400_000, toMs })));
}

async function reopen(open: () => Promise<Store>): Promise<void> {
  const start = performance.now();
  const store = await open();
  const projection = await Projection.open({ store, logger });
  const opened = performance.now();
  const ledger = await Ledger.open(
    { store, clock: systemClock, random: systemRandom, logger, projection },
    { ledgerId: 'perf' },
  );
  await projection.settled();
  const [newest] = (await projection.history.account(HOT, { limit: 1 })).movements;
  const same = (await ledger.account(HOT))?.creditsPosted === newest?.after.creditsPosted;
  console.log(
    `restart: ${Math.round(performance.now() - start)} ms`,
    `of it the history ${Math.round(opened - start)} ms; balances agree: ${same}`,
  );
  await ledger[Symbol.asyncDispose]();
  await projection[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
}

console.log('parts', parts(60));
await whole(false);
await whole(true);
