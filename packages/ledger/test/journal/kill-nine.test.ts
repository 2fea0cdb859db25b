// Shows with real processes on both engines that kill -9 at any moment loses nothing that was answered and
// does nothing twice, and that of two writers only the one that holds the lease can book.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { present, silentLogger, systemClock, systemRandom } from '@clawbernetes/kernel';
import { auditLedger, Ledger, TransferBatch } from '@clawbernetes/ledger';
import { startTestPostgres, type TestPostgres } from '@clawbernetes/storage/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LineProcess } from '../recovery/line-process.ts';
import { openLedgerStore } from './open-ledger-store.ts';

const PER_REQUEST = 10;
const MADE = BigInt(Date.UTC(2026, 0, 1)) << 80n;
const server = await startTestPostgres();

/** A process that books, and says what was answered. */
class Booker extends LineProcess {
  constructor(place: string, first: number) {
    super(new URL('./ledger-process.ts', import.meta.url), [place, String(first)]);
  }

  get answered(): readonly number[] {
    return this.lines.filter((line) => /^\d+$/.test(line)).map(Number);
  }
}

async function withLedger<T>(place: string, work: (ledger: Ledger) => Promise<T>): Promise<T> {
  await using store = await openLedgerStore(place);
  const deps = { store, clock: systemClock, random: systemRandom, logger: silentLogger };
  await using ledger = await Ledger.open(deps, { ledgerId: 'test', heldIds: 2000 });
  // Awaited here, for what is used is closed at the end of this function.
  return await work(ledger);
}

function batchFrom(first: number): Uint8Array {
  const batch = new TransferBatch(PER_REQUEST);
  for (let id = first; id < first + PER_REQUEST; id += 1)
    batch.add({ id: MADE | BigInt(id), debitAccount: 1n, creditAccount: 2n, amount: 1n, code: 1 });
  return batch.bytes;
}

/** All that was answered is there once: asking for it again changes nothing. */
async function expectBooked(place: string, answered: readonly number[]): Promise<void> {
  await withLedger(place, async (ledger) => {
    const before = await ledger.account(2n);
    const again = await Promise.all(
      answered.map((first) => ledger.submit({ kind: 'transfers', items: batchFrom(first) })),
    );
    expect(again.flatMap((codes) => [...codes]).filter((code) => code !== 0)).toEqual([]);
    expect(await ledger.account(2n)).toEqual(before);
    expect(Number(before?.creditsPosted)).toBeGreaterThanOrEqual(answered.length * PER_REQUEST);
  });
  await using store = await openLedgerStore(place);
  const { discrepancies, totals } = await auditLedger(store, { ledgerId: 'test' });
  expect(discrepancies).toEqual([]);
  expect(totals.assets).toMatchObject([{ asset: 1, accounts: 2 }]);
}

function testKills(place: () => Promise<string>): void {
  it('kill -9, again and again: nothing answered is lost, nothing is there twice', async () => {
    const where = await place();
    const answered: number[] = [];
    for (let kills = 0; kills < 5; kills += 1) {
      const booker = new Booker(where, 1 + kills * 10_000_000);
      await booker.until(() => booker.answered.length > 100 + kills * 150);
      booker.signal('SIGKILL');
      await booker.ended();
      answered.push(...booker.answered);
    }
    await expectBooked(where, answered);
  });
}

describe('on SQLite', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'claw-ledger-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  testKills(async () => path.join(folder, 'ledger.sqlite'));
});

const missing = 'skipped' in server ? server.skipped : undefined;
describe.skipIf(missing !== undefined)(`on PostgreSQL${missing ? ` [skipped: ${missing}]` : ''}`, () => {
  const postgres = server as TestPostgres;
  afterAll(() => postgres[Symbol.asyncDispose]());

  testKills(() => postgres.createDatabase());

  it('a writer that comes back after its lease was taken books nothing more', async () => {
    const where = await postgres.createDatabase();
    const first = new Booker(where, 1);
    await first.until(() => first.answered.length > 50);
    first.signal('SIGSTOP');
    const second = new Booker(where, 1 + 10_000_000);
    await second.until(() => second.answered.length > 50);
    const before = first.answered.length;
    first.signal('SIGCONT');
    await first.ended();
    // What was stored before it was stopped may still be answered; nothing later is.
    expect(first.lines).toContain('failed ledger-closed');
    await second.until(() => second.answered.length > 300);
    second.signal('SIGKILL');
    await second.ended();
    const answered = [...first.answered, ...second.answered];
    expect(first.answered.length - before).toBeLessThanOrEqual(8);
    await expectBooked(where, answered);
    expect(present(answered[0], 'an answer')).toBe(1);
  });
});
