// Shows the history in its own thread, beside a ledger on both real engines: it is there after closing and
// opening, also of accounts that sleep for many segments, and its page limits hold.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom, silentLogger, systemClock, systemRandom } from '@clawbernetes/kernel';
import { encodeAccounts, Ledger, LEDGER_SCHEMA, NO_FLOOR, TransferBatch } from '@clawbernetes/ledger';
import { joinSchemas, openPostgresStore, openSqliteStore, type Store } from '@clawbernetes/storage';
import { startTestPostgres } from '@clawbernetes/storage/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAX_PAGE, type PageOptions } from '../../src/projection/history.ts';
import { HISTORY_SCHEMA } from '../../src/projection/projection-schema.ts';
import { Projection } from '../../src/projection/projection.ts';

const ACCOUNTS = 50;
const SLEEPER = 7000n;
const OPTIONS = { segmentMovements: 2000, maxLagMovements: 30_000, cacheBytes: 100_000 };
const random = seededRandom(3);
const below = (bound: number): number => Math.floor(random.fraction() * bound);

const server = await startTestPostgres();
let folder = '';
let nextId = 0n;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'history-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
  if (!('skipped' in server)) await server[Symbol.asyncDispose]();
});

/** A store by its place: the URL of a PostgreSQL database, or the path of a file. */
function openStore(place: string): Promise<Store> {
  const deps = { clock: systemClock, logger: silentLogger, random: systemRandom };
  const schema = joinSchemas([LEDGER_SCHEMA, HISTORY_SCHEMA]);
  return place.startsWith('postgres:')
    ? openPostgresStore(deps, { url: place, schema })
    : openSqliteStore(deps, { path: place, schema });
}

async function open(place: string) {
  const deps = { clock: systemClock, logger: silentLogger };
  const store = await openStore(place);
  const projection = await Projection.open({ logger: silentLogger, store }, OPTIONS);
  const ledger = await Ledger.open(
    { ...deps, store, projection, random: systemRandom },
    { ledgerId: 'thread', heldIds: 40_000 },
  );
  const close = async (): Promise<void> => {
    await ledger[Symbol.asyncDispose]();
    await projection[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
  };
  return { ledger, projection, close };
}

/** Transfers between random accounts; answers what they did to the first one. */
async function book(ledger: Ledger, count: number, debit?: bigint): Promise<void> {
  const batch = new TransferBatch(count);
  for (let index = 0; index < count; index += 1) {
    const id = (BigInt(Date.now()) << 80n) | (nextId += 1n);
    const debitAccount = debit ?? BigInt(1 + below(ACCOUNTS));
    const creditAccount = (debitAccount % BigInt(ACCOUNTS)) + 1n;
    batch.add({
      id,
      debitAccount,
      creditAccount,
      amount: BigInt(1 + below(9)),
      code: 1,
      reference: id >> 2n,
    });
  }
  const codes = await ledger.submit({ kind: 'transfers', items: batch.bytes });
  expect(codes.every((code) => code === 0)).toBe(true);
}

async function readAll({ history }: Projection, id: bigint) {
  const movements = [];
  for (let options: PageOptions = { limit: MAX_PAGE }; ;) {
    const page = await history.account(id, options);
    movements.push(...page.movements);
    if (page.next === undefined) return movements;
    options = { limit: MAX_PAGE, after: page.next };
  }
}

/** Answers how many movements these accounts have, one by one. */
async function check(ledger: Ledger, projection: Projection, ids: readonly bigint[]): Promise<number> {
  await projection.settled();
  let [count, wrong] = [0, 0];
  for (const id of ids) {
    const movements = await readAll(projection, id);
    count += movements.length;
    const [newest] = movements;
    if (newest) expect(await ledger.account(id)).toMatchObject(newest.after);
    // Each balance is the one before it and the movement; so many are compared in plain words.
    for (const [index, { amount, debitAccount, after }] of movements.entries()) {
      const before = movements[index + 1]?.after ?? { debitsPosted: 0n, creditsPosted: 0n };
      const [debit, credit] = debitAccount === id ? [amount, 0n] : [0n, amount];
      const isDebit = after.debitsPosted === before.debitsPosted + debit;
      if (!isDebit || after.creditsPosted !== before.creditsPosted + credit) wrong += 1;
    }
  }
  expect(wrong).toBe(0);
  return count;
}

const missing = 'skipped' in server ? ` [skipped: ${server.skipped}]` : '';

describe('a history in its own thread', () => {
  it('follows a ledger on SQLite, and is the same after each opening', async () => {
    await expectToFollow(join(folder, 'ledger.sqlite'), 3);
  });

  it.skipIf(missing)(`follows a ledger on PostgreSQL${missing}`, async () => {
    if ('skipped' in server) throw new Error(server.skipped);
    await expectToFollow(await server.createDatabase(), 1);
  });
});

async function expectToFollow(place: string, rounds: number): Promise<void> {
  let [run, expected] = [await open(place), 0];
  const facts = { owner: new Uint8Array(32), floor: NO_FLOOR, asset: 1, code: 1, flags: 0 };
  const ids = [...Array.from({ length: ACCOUNTS }, (_, index) => BigInt(index + 1)), SLEEPER];
  const items = encodeAccounts(ids.map((id) => ({ ...facts, id })));
  await run.ledger.submit({ kind: 'accounts', items });
  for (let round = 0; round < rounds; round += 1) {
    // The sleeper moves once, then not again for as many segments as heads are apart, and more.
    await book(run.ledger, 3, SLEEPER);
    for (let batches = 0; batches < 24; batches += 1) await book(run.ledger, 2500);
    expected += 3 + 24 * 2500;
    const some = [SLEEPER, 1n, BigInt(2 + below(ACCOUNTS - 2))];
    const before = await check(run.ledger, run.projection, some);
    await run.close();
    run = await open(place);
    expect(await check(run.ledger, run.projection, some)).toBe(before);
  }
  expect(await check(run.ledger, run.projection, ids)).toBe(2 * expected);
  const sleeper = await readAll(run.projection, SLEEPER);
  expect(sleeper).toHaveLength(3 * rounds);
  const { reference = 0n } = sleeper.at(-1) ?? {};
  const found = await run.projection.history.reference(reference);
  expect(found.movements.map(({ number }) => number)).toContain(0);
  // Old pages are found from anywhere.
  const old = await run.projection.history.account(SLEEPER, { after: 60_000, limit: 2 });
  expect(old.movements.map(({ number }) => number)).toEqual([2, 1]);
  await expect(run.projection.history.account(1n, { limit: MAX_PAGE + 1 })).rejects.toThrow('page');
  await expect(run.projection.history.account(1n, { limit: 0 })).rejects.toThrow('page');
  expect((await run.projection.history.account(99n)).movements).toEqual([]);
  await run.close();
}
