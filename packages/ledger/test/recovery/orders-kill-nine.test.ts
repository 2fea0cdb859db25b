// Shows with real processes on both engines that orders survive kill -9 at any moment: each that was answered
// is done as it was answered, none is done twice, and balances and history are those of a model in memory.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { present, seededRandom, systemClock } from '@clawbernetes/kernel';
import { auditLedger } from '@clawbernetes/ledger';
import { startTestPostgres, type TestPostgres } from '@clawbernetes/storage/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { malformedCode, readOrder } from '../../src/orders/order.ts';
import { LEDGER } from '../orders/order-world.ts';
import { timedOrders, type TimedOrder } from '../orders/timed-orders.ts';
import { expectHistory } from './expect-history.ts';
import { LineProcess } from './line-process.ts';
import { journalOf, openBook, type Book } from './open-book.ts';
import { writeOrders } from './order-file.ts';
import { OrderModel, type Said } from './order-model.ts';

const STEPS = 300;
const KILLS = 4;
const LEASE_MS = 10_000;
const server = await startTestPostgres();
const orders = distinctOrders();
let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'claw-orders-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** All different, and such that the journal has each. */
function distinctOrders(): readonly TimedOrder[] {
  const byBytes = new Map<string, TimedOrder>();
  for (const order of timedOrders(1, STEPS)) {
    const key = Buffer.from(order.bytes).toString('hex');
    if (!byBytes.has(key) && malformedCode(order.bytes) === undefined) byBytes.set(key, order);
  }
  return [...byBytes.values()];
}

async function bookAndKill(place: string, free: () => Promise<unknown>): Promise<readonly Said[]> {
  const file = path.join(folder, 'orders');
  await writeFile(file, writeOrders(orders));
  const random = seededRandom(9);
  const said: Said[] = [];
  let first = 0;
  for (let kills = 0; first < orders.length; kills += 1) {
    const args = [place, file, first, orders.length, LEASE_MS].map(String);
    const child = new LineProcess(new URL('./order-process.ts', import.meta.url), args);
    // The last one is left alone.
    const enough = kills < KILLS ? 2 + random.fraction() * ((2 * orders.length) / KILLS - 4) : Infinity;
    await child.until((lines) => lines.includes('done') || lines.length > enough);
    child.signal('SIGKILL');
    await child.ended();
    const codes = new Map(
      child.lines
        .filter((line) => /^\d+ \d+$/.test(line))
        .map((line) => line.split(' ').map(Number) as [number, number]),
    );
    said.push({ first, codes });
    while (codes.has(first)) first += 1;
    await free();
  }
  return said;
}

/** What was done is not done again, and asking for it changes no balance. */
async function expectDoneOnce({ ledger }: Book, said: readonly Said[]): Promise<void> {
  const before = ledger.orders.snapshot().bytes();
  for (const { codes } of said) {
    for (const [index, code] of codes) {
      const { bytes } = present(orders[index], 'an order');
      if (code !== 0 || readOrder(bytes).type === 'agreement-settle') continue;
      const [again] = await ledger.submit({ kind: 'orders', items: bytes });
      expect(again).not.toBe(0);
    }
  }
  expect(Buffer.compare(ledger.orders.snapshot().bytes(), before)).toBe(0);
}

async function expectModel(book: Book, said: readonly Said[]): Promise<void> {
  const model = new OrderModel(orders, await journalOf(book.store));
  for (const [at, one] of said.entries()) model.follow(one, said[at + 1]?.first ?? orders.length);
  model.expectAll();
  expect(model.orders.deviations()).toEqual([]);
  const [live, modelled] = [book.ledger.orders, model.orders].map((machine) =>
    Buffer.from(machine.snapshot().bytes()).toString(),
  );
  expect(live).toBe(modelled);
  for (const account of model.machine.accounts())
    expect(await book.ledger.account(account.id)).toEqual(account);
}

function testKills(place: () => Promise<string>, free: (place: string) => Promise<unknown>): void {
  it('orders that processes book until they are killed', async () => {
    const where = await place();
    const said = await bookAndKill(where, () => free(where));
    expect(said.length).toBeGreaterThan(KILLS / 2);
    const clock = { ...systemClock, nowMs: () => present(orders.at(-1), 'an order').timeMs };
    const book = await openBook(where, { ledgerId: LEDGER, clock });
    await expectModel(book, said);
    await expectDoneOnce(book, said);
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
