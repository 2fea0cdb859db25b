// Shows that a ledger whose history cannot be stored, or kept, stops and says so: nothing is booked without
// it, who waits is told, and opened anew it has all that was answered, and its whole history.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { seededRandom, silentLogger, systemClock, type CodedError } from '@clawbernetes/kernel';
import { VirtualClock } from '@clawbernetes/kernel/testing';
import {
  auditLedger,
  encodeAccounts,
  HISTORY_SCHEMA,
  Ledger,
  LEDGER_SCHEMA,
  NO_FLOOR,
  Projection,
  TransferBatch,
} from '@clawbernetes/ledger';
import { SameThread } from '@clawbernetes/ledger/testing';
import { joinSchemas, MemoryDisk, openMemoryStore } from '@clawbernetes/storage';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProjectorInline, ProjectorThread } from '../../src/projection/projector-thread.ts';
import { JournalFollower, keyOfOperation } from '../journal/journal-follower.ts';
import { expectHistory } from './expect-history.ts';
import { journalOf, openBook, openBookOn, openBookStore, SMALL, stoppableClock } from './open-book.ts';
import { RequestLoad } from './request-load.ts';
import { mountTinyDisk } from './tiny-disk.ts';

const LEDGER = 'history-faults';
const CLOSED = { code: 'ledger-closed' };
const FAILED = { code: 'history-failed' };
let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'claw-history-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const PER_REQUEST = 100;
const START_MS = Date.UTC(2026, 0, 1);

function accounts(): Uint8Array {
  const facts = { owner: new Uint8Array(32), floor: NO_FLOOR, asset: 1, code: 1, flags: 0 };
  return encodeAccounts([1n, 2n].map((id) => ({ id, ...facts })));
}

function transfers(request: number): Uint8Array {
  const batch = new TransferBatch(PER_REQUEST);
  for (let index = 0; index < PER_REQUEST; index += 1) {
    const id = (BigInt(START_MS) << 80n) | BigInt(request * PER_REQUEST + index + 1);
    batch.add({ id, debitAccount: 1n, creditAccount: 2n, amount: 1n, code: 1 });
  }
  return batch.bytes;
}

describe('on a simulated disk', () => {
  /** Lets time pass until the promise is settled, in small steps. */
  async function pass<Result>(clock: VirtualClock, work: Promise<Result>): Promise<Result> {
    let isDone = false;
    void Promise.allSettled([work]).then(() => {
      isDone = true;
    });
    for (let turn = 0; turn < 20_000; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      if (isDone) return work;
      if (turn > 2) await clock.advance(5);
    }
    throw new Error('it takes time without end');
  }

  async function open(clock: VirtualClock, disk: MemoryDisk, maxQueuedRequests = 1000) {
    const schema = joinSchemas([LEDGER_SCHEMA, HISTORY_SCHEMA]);
    const store = await openMemoryStore({ clock }, disk, { schema });
    const deps = { store, clock, logger: silentLogger, random: seededRandom(1), threads: new SameThread() };
    const link = new ProjectorInline();
    const projection = await Projection.open({ ...deps, link }, { ...SMALL, maxLagFrames: 10 });
    const options = { ledgerId: LEDGER, maxQueuedRequests, frameBytes: 1 };
    const ledger = await pass(clock, Ledger.open({ ...deps, projection }, options));
    return { store, projection, ledger };
  }

  it('a segment that finds the disk full stops the ledger, which goes on where there is room again', async () => {
    const clock = new VirtualClock({ startMs: START_MS });
    const disk = new MemoryDisk({ clock, random: seededRandom(2) }, { minMs: 0, maxMs: 1 });
    const first = await pass(clock, open(clock, disk));
    await pass(clock, first.ledger.submit({ kind: 'accounts', items: accounts() }));
    await pass(clock, first.ledger.submit({ kind: 'transfers', items: transfers(0) }));
    const { sequence } = first.ledger;
    disk.setFull(true);
    // Nothing but the history is to be stored.
    await expect(pass(clock, first.projection.stored(sequence))).rejects.toMatchObject(FAILED);
    const refused = first.ledger.submit({ kind: 'transfers', items: transfers(1) });
    await expect(pass(clock, refused)).rejects.toMatchObject(CLOSED);
    await expect(pass(clock, first.ledger.account(2n))).rejects.toMatchObject(CLOSED);
    await expect(first.projection.history.account(2n)).rejects.toMatchObject(FAILED);
    expect(first.ledger.sequence).toBe(sequence);
    await pass(clock, first.ledger[Symbol.asyncDispose]());
    await pass(clock, first.projection[Symbol.asyncDispose]());
    await pass(clock, Promise.resolve(first.store[Symbol.asyncDispose]()));
    disk.setFull(false);
    const second = await pass(clock, open(clock, disk));
    await pass(clock, second.ledger.submit({ kind: 'transfers', items: transfers(1) }));
    await pass(clock, second.projection.settled());
    const page = await pass(clock, second.projection.history.account(2n, { limit: 1 }));
    expect(page.movements).toMatchObject([{ number: 199, after: { creditsPosted: 200n } }]);
    await pass(clock, second.projection.stored(sequence + 1));
  });

  it('one that does not answer fills what is bounded, then who asks is refused, and nothing is lost', async () => {
    const clock = new VirtualClock({ startMs: START_MS });
    const disk = new MemoryDisk({ clock, random: seededRandom(3) }, { minMs: 0, maxMs: 1 });
    const { ledger, projection } = await pass(clock, open(clock, disk, 40));
    await pass(clock, ledger.submit({ kind: 'accounts', items: accounts() }));
    disk.setLatency({ minMs: 60_000, maxMs: 60_000 });
    const codes: string[] = [];
    const asked: Promise<unknown>[] = [];
    for (let request = 0; request < 100; request += 1) {
      const booked = ledger.submit({ kind: 'transfers', items: transfers(request) });
      asked.push(
        booked.then(
          () => codes.push('ok'),
          (error: unknown) => codes.push((error as CodedError).code),
        ),
      );
      await clock.advance(10);
      expect(projection.lag().frames).toBeLessThanOrEqual(10);
    }
    const refused = codes.length;
    expect(refused).toBeGreaterThan(40);
    expect(new Set(codes)).toEqual(new Set(['ledger-overloaded']));
    disk.setLatency({ minMs: 0, maxMs: 1 });
    await clock.advance(60_000);
    await pass(clock, Promise.all(asked));
    expect(codes.slice(refused)).toEqual(codes.slice(refused).map(() => 'ok'));
    const booked = BigInt((codes.length - refused) * PER_REQUEST);
    expect(await pass(clock, ledger.account(2n))).toMatchObject({ creditsPosted: booked });
    await pass(clock, projection.settled());
    const page = await pass(clock, projection.history.account(2n, { limit: 1 }));
    expect(page.movements).toMatchObject([{ after: { creditsPosted: booked } }]);
  });

  it('one that is slow makes who asks wait, while the history stays within its bound', async () => {
    const clock = new VirtualClock({ startMs: START_MS });
    const disk = new MemoryDisk({ clock, random: seededRandom(4) }, { minMs: 20, maxMs: 20 });
    const { ledger, projection } = await pass(clock, open(clock, disk));
    await pass(clock, ledger.submit({ kind: 'accounts', items: accounts() }));
    // Several frames share a commit; a segment of three of them takes several.
    let answered = 0;
    const asked = Array.from({ length: 200 }, async (_, request) => {
      await ledger.submit({ kind: 'transfers', items: transfers(request) });
      answered += 1;
    });
    let most = 0;
    for (let steps = 0; answered < asked.length && steps < 20_000; steps += 1) {
      await clock.advance(5);
      most = Math.max(most, projection.lag().frames);
    }
    await Promise.all(asked);
    expect(most).toBe(10);
    await pass(clock, projection.settled());
    const page = await pass(clock, projection.history.account(2n, { limit: 1 }));
    expect(page.movements).toMatchObject([{ after: { creditsPosted: BigInt(200 * PER_REQUEST) } }]);
  });
});

describe('on SQLite', () => {
  /** A link to the thread that can make it fail, as a defect of it would. */
  class BreakableThread extends ProjectorThread {
    break(): void {
      this.send({ stored: 1_000_000 });
    }
  }

  it('a thread of the history that dies stops the ledger; opened anew it has everything', async () => {
    const place = path.join(folder, 'thread.sqlite');
    const { clock, stop } = stoppableClock();
    const load = new RequestLoad(5, { ledgerId: LEDGER, nowMs: systemClock.nowMs() });
    const link = new BreakableThread();
    // No checkpoint finds out.
    const options = { ledgerId: LEDGER, clock, link, heldIds: 1_000_000 };
    const broken = await openBookOn(await openBookStore(place), options);
    await load.prepare(broken.ledger);
    const ended = load.run(broken.ledger, () => load.answered.length > 3000);
    await expect.poll(() => load.answered.length, { interval: 2, timeout: 20_000 }).toBeGreaterThan(100);
    link.break();
    expect(new Set(await ended)).toEqual(new Set(['ledger-closed']));
    await expect(broken.projection.history.account(1n)).rejects.toMatchObject(FAILED);
    await expect(broken.ledger.account(1n)).rejects.toMatchObject(CLOSED);
    await broken.close();
    const book = await openBook(place, { ledgerId: LEDGER, clock });
    const enough = load.answered.length + 50;
    const codes = await load.run(book.ledger, () => load.answered.length >= enough);
    expect(new Set(codes)).toEqual(new Set([undefined]));
    stop();
    await load.prepare(book.ledger);
    await load.expectSigned(book.ledger);
    await expectHistory(book);
    await book.close();
  });

  it('a disk that is full under load loses nothing that was answered', async (context) => {
    await using disk = await mountTinyDisk(700);
    if (disk === undefined) return context.skip('needs root to mount a tmpfs of 700 KiB');
    const place = path.join(disk.folder, 'ledger.sqlite');
    const { clock, stop } = stoppableClock();
    const load = new RequestLoad(6, { ledgerId: LEDGER, nowMs: systemClock.nowMs() });
    const full = await openBook(place, { ledgerId: LEDGER, clock });
    await load.prepare(full.ledger);
    expect(new Set(await load.run(full.ledger, () => false))).toEqual(new Set(['ledger-closed']));
    expect(load.answered.length).toBeGreaterThan(20);
    await expect(full.projection.history.account(1n)).rejects.toMatchObject(FAILED);
    await full.close();
    disk.grow();
    const book = await openBook(place, { ledgerId: LEDGER, clock });
    const enough = load.answered.length + 50;
    const codes = await load.run(book.ledger, () => load.answered.length >= enough);
    expect(new Set(codes)).toEqual(new Set([undefined]));
    stop();
    await load.prepare(book.ledger);
    const follower = new JournalFollower();
    follower.follow(await journalOf(book.store));
    for (const { operation, results } of load.answered)
      expect(follower.results.get(keyOfOperation(operation))).toContainEqual(results);
    await load.expectSigned(book.ledger);
    await expectHistory(book);
    expect((await auditLedger(book.store, { ledgerId: LEDGER })).discrepancies).toEqual([]);
    await book.close();
  });
});
