// Shows that a gateway which comes back after another has taken its lease on PostgreSQL commits nothing more,
// even if it does not notice the time that has passed: neither orders nor history, and it says so to whoever
// waits.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { present, systemClock } from '@clawbernetes/kernel';
import { auditLedger } from '@clawbernetes/ledger';
import { startTestPostgres, type TestPostgres } from '@clawbernetes/storage/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LEDGER } from '../orders/order-world.ts';
import { distinctOrders } from '../orders/timed-orders.ts';
import { expectHistory } from './expect-history.ts';
import { LineProcess } from './line-process.ts';
import { journalOf, openBook, TINY, type Book } from './open-book.ts';
import { writeOrders } from './order-file.ts';
import { expectModel, saidBy, type Said } from './order-model.ts';

/** Of the one that is stopped, who never renews it. */
const LEASE_MS = 3000;
const orders = distinctOrders(2, 200);
const server = await startTestPostgres();
const missing = 'skipped' in server ? server.skipped : undefined;
let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'claw-writers-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Frames, and segments of the history. */
async function stored({ store }: Book): Promise<readonly [number, number]> {
  const segments = await store.rows.selectFrom('ledger_segment').select('segment').execute();
  return [(await journalOf(store)).length, segments.length];
}

/** Asks for all that was not answered, one after the other. */
async function goOn({ ledger }: Book, first: number, move: (timeMs: number) => void): Promise<Said> {
  const codes = new Map<number, number>();
  for (let index = first; index < orders.length; index += 1) {
    const { timeMs, bytes } = present(orders[index], 'an order');
    move(timeMs);
    const [code = -1] = await ledger.submit({ kind: 'orders', items: bytes });
    codes.set(index, code);
  }
  return { first, codes };
}

describe.skipIf(missing !== undefined)(`two writers${missing ? ` [skipped: ${missing}]` : ''}`, () => {
  const postgres = server as TestPostgres;
  afterAll(() => postgres[Symbol.asyncDispose]());

  it.each([20, 61])('the one that was stopped at order %i loses', async (stop) => {
    const place = await postgres.createDatabase();
    const file = path.join(folder, `orders-${stop}`);
    await writeFile(file, writeOrders(orders));
    const args = [place, file, 0, LEASE_MS, stop].map(String);
    const loser = new LineProcess(new URL('./order-process.ts', import.meta.url), args);
    await loser.until((lines) => lines.includes('stopping'));
    let nowMs = 0;
    const clock = { ...systemClock, nowMs: () => nowMs, monotonicMs: () => nowMs };
    const winner = await openBook(place, { ledgerId: LEDGER, clock, ...TINY });
    // It books nothing yet: what the loser stores now would be in nobody's way.
    const before = await stored(winner);
    loser.signal('SIGCONT');
    await loser.ended();
    expect(loser.lines).not.toContain('done');
    expect(loser.lines.at(-1)).toMatch(/^failed ledger-closed storage-(fenced|unavailable)$/);
    expect(await stored(winner)).toEqual(before);
    const lost = saidBy(0, loser.lines);
    expect(lost.codes.size).toBeGreaterThan(0);
    let first = 0;
    while (lost.codes.has(first)) first += 1;
    const won = await goOn(winner, first, (timeMs) => {
      nowMs = timeMs;
    });
    await expectModel(winner, orders, [lost, won]);
    await expectHistory(winner);
    expect((await auditLedger(winner.store, { ledgerId: LEDGER })).discrepancies).toEqual([]);
    await winner.close();
  });
});
