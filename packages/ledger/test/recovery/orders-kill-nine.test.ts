// Shows with real processes on both engines that orders survive kill -9 at any moment: each that was answered
// is done as it was answered, none is done twice, and balances and history are those of a model in memory.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { present, seededRandom, systemClock } from '@clawbernetes/kernel';
import { auditLedger } from '@clawbernetes/ledger';
import { startTestPostgres, type TestPostgres } from '@clawbernetes/storage/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LEDGER } from '../orders/order-world.ts';
import { distinctOrders } from '../orders/timed-orders.ts';
import { expectHistory } from './expect-history.ts';
import { LineProcess } from './line-process.ts';
import { openBook, TINY, type Book } from './open-book.ts';
import { writeOrders } from './order-file.ts';
import { expectModel, saidBy, type Said } from './order-model.ts';

const STEPS = 300;
const KILLS = 3;
const LEASE_MS = 10_000;
const server = await startTestPostgres();
const orders = distinctOrders(1, STEPS);
let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'claw-orders-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function bookAndKill(place: string, free: () => Promise<unknown>): Promise<readonly Said[]> {
  const file = path.join(folder, 'orders');
  await writeFile(file, writeOrders(orders));
  const random = seededRandom(9);
  const said: Said[] = [];
  let first = 0;
  for (let kills = 0; first < orders.length; kills += 1) {
    const args = [place, file, first, LEASE_MS].map(String);
    const child = new LineProcess(new URL('./order-process.ts', import.meta.url), args);
    // The last one is left alone.
    const enough = kills < KILLS ? 2 + random.fraction() * ((2 * orders.length) / KILLS - 4) : Infinity;
    await child.until((lines) => lines.includes('done') || lines.length > enough);
    child.signal('SIGKILL');
    await child.ended();
    said.push(saidBy(first, child.lines));
    while (said.at(-1)?.codes.has(first)) first += 1;
    await free();
  }
  return said;
}

const clock = { ...systemClock, nowMs: () => present(orders.at(-1), 'an order').timeMs };

/** With one more order a checkpoint is due, and made before the ledger is closed: it is opened from that. */
async function openFromCheckpoint(place: string): Promise<{ readonly book: Book; readonly last: Said }> {
  const options = { ledgerId: LEDGER, clock, ...TINY };
  const before = await openBook(place, options);
  const { bytes } = present(orders[0], 'a first order');
  const [code = -1] = await before.ledger.submit({ kind: 'orders', items: bytes });
  await before.close();
  const book = await openBook(place, options);
  for (const table of ['ledger_checkpoint', 'ledger_segment'])
    expect(await book.store.rows.selectFrom(table).select('sequence').execute()).not.toEqual([]);
  return { book, last: { first: 0, codes: new Map([[0, code]]) } };
}

function testKills(place: () => Promise<string>, free: (place: string) => Promise<unknown>): void {
  it('orders that processes book until they are killed', async () => {
    const where = await place();
    const said = await bookAndKill(where, () => free(where));
    expect(said.length).toBeGreaterThan(KILLS / 2);
    const { book, last } = await openFromCheckpoint(where);
    await expectModel(book, orders, [...said, last]);
    const naive = await expectHistory(book);
    expect(naive.count).toBeGreaterThan(orders.length / 4);
    expect(naive.orders.deviations()).toEqual([]);
    const { discrepancies, totals } = await auditLedger(book.store, { ledgerId: LEDGER });
    expect(discrepancies).toEqual([]);
    expect(totals.signatures).toBeGreaterThan(orders.length / 2);
    await book.close();
  });
}

describe('on SQLite', () => {
  testKills(
    async () => path.join(folder, 'ledger.sqlite'),
    async () => undefined,
  );
});

const missing = 'skipped' in server ? server.skipped : undefined;
describe.skipIf(missing !== undefined)(`on PostgreSQL${missing ? ` [skipped: ${missing}]` : ''}`, () => {
  const postgres = server as TestPostgres;
  afterAll(() => postgres[Symbol.asyncDispose]());

  testKills(
    () => postgres.createDatabase(),
    // Whoever is killed cannot give back its lease.
    (place) => postgres.query(`update storage_writer set expires_at = '-infinity'`, place),
  );
});
