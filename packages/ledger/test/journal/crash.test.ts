// Shows on a simulated disk that a ledger which crashes at any moment, again and again, has lost nothing that
// it answered, done nothing twice, and comes back as the naive ledger that follows its journal.
import { present, seededRandom, silentLogger, type Random } from '@clawbernetes/kernel';
import { VirtualClock } from '@clawbernetes/kernel/testing';
import {
  encodeAccounts,
  encodeFreezes,
  Ledger,
  LEDGER_SCHEMA,
  resultName,
  TransferBatch,
  type Operation,
} from '@clawbernetes/ledger';
import { RandomWorkload, SameThread } from '@clawbernetes/ledger/testing';
import { MemoryDisk, openMemoryStore, type Row, type Store } from '@clawbernetes/storage';
import { describe, expect, it } from 'vitest';
import { JournalFollower, keyOfOperation } from './journal-follower.ts';

const START_MS = Date.UTC(2026, 0, 1);
/** Small, so that checkpoints are frequent and old ids are forgotten. */
const OPTIONS = {
  ledgerId: 'test',
  heldIds: 30,
  maxIdRuns: 4,
  rememberedMs: 0,
  checkpointBytes: 20_000,
  framesInFlight: 3,
  frameBytes: 2000,
};

interface Answered {
  readonly operation: Operation;
  readonly results: readonly (string | undefined)[];
}

/** A ledger on a simulated disk, driven by one seed. */
class CrashingLedger {
  readonly answered: Answered[] = [];
  readonly #clock = new VirtualClock({ startMs: START_MS });
  readonly #random;
  readonly #disk: MemoryDisk;
  readonly #workload: RandomWorkload;
  #store: Store | undefined;
  ledger: Ledger | undefined;
  #waiting = 0;

  /** @param luck decides how long commits take, and whether one that a crash meets is kept. */
  constructor(seed: number, luck: Random = seededRandom(seed)) {
    this.#random = seededRandom(seed);
    this.#disk = new MemoryDisk({ clock: this.#clock, random: luck }, { minMs: 0, maxMs: 5 });
    this.#workload = new RandomWorkload(this.#random, START_MS);
  }

  async open(): Promise<void> {
    const deps = {
      clock: this.#clock,
      random: this.#random,
      logger: silentLogger,
      threads: new SameThread(),
    };
    this.#store = await openMemoryStore({ clock: this.#clock }, this.#disk, { schema: LEDGER_SCHEMA });
    this.ledger = await Ledger.open({ ...deps, store: this.#store }, OPTIONS);
  }

  /** Submits some steps at once. */
  begin(steps: number): void {
    const ledger = present(this.ledger, 'an open ledger');
    for (let step = 0; step < steps; step += 1) {
      const operation = this.#next();
      if (operation) this.#submit(ledger, operation);
    }
  }

  async pass(ms: number): Promise<void> {
    await this.#clock.advance(ms);
  }

  /** Submits some steps at once, and lets time pass, perhaps not enough for all of them to be stored. */
  async work(steps: number): Promise<void> {
    const ledger = present(this.ledger, 'an open ledger');
    for (let step = 0; step < steps; step += 1) {
      const operation = this.#random.fraction() < 0.3 ? this.#earlier() : this.#next();
      if (!operation) continue;
      this.#submit(ledger, operation);
      if (this.#random.fraction() < 0.5) await this.#clock.advance(this.#random.fraction() * 4);
    }
  }

  async crash(): Promise<void> {
    this.#disk.crash();
    await this.#clock.advance(50);
    await this.ledger?.[Symbol.asyncDispose]();
    // Whoever asked has an answer, or knows that there is none.
    expect(this.#waiting).toBe(0);
    await Promise.resolve(this.#store?.[Symbol.asyncDispose]()).catch(() => undefined);
    await this.open();
  }

  async settle(): Promise<void> {
    await this.#clock.advance(2000);
  }

  async count(table: string): Promise<number> {
    const rows = await present(this.#store, 'an open store')
      .rows.selectFrom(table)
      .select('sequence')
      .execute();
    return rows.length;
  }

  /** All frames, as the store has them. */
  async frames(): Promise<readonly Uint8Array[]> {
    const rows: Row[] = await present(this.#store, 'an open store')
      .rows.selectFrom('ledger_frame')
      .select(['sequence', 'body'])
      .orderBy('sequence')
      .execute();
    expect(rows.map((row) => row['sequence'])).toEqual(rows.map((_, index) => index + 1));
    return rows.map((row) => row['body'] as Uint8Array);
  }

  #submit(ledger: Ledger, operation: Operation): void {
    this.#waiting += 1;
    ledger.submit(operation).then(
      (codes) => {
        this.#waiting -= 1;
        this.answered.push({ operation, results: [...codes].map((code) => resultName(code)) });
      },
      () => (this.#waiting -= 1),
    );
  }

  /** Something that was asked before, perhaps long ago: it must have the same answer, or be too old. */
  #earlier(): Operation | undefined {
    return this.answered[Math.floor(this.#random.fraction() * this.answered.length)]?.operation;
  }

  #next(): Operation | undefined {
    const step = this.#workload.next();
    switch (step.kind) {
      case 'open':
        return { kind: 'accounts', items: encodeAccounts(step.accounts) };
      case 'transfer': {
        const batch = new TransferBatch(step.transfers.length);
        for (const transfer of step.transfers) batch.add(transfer);
        return batch.count === 0 ? undefined : { kind: 'transfers', items: batch.bytes };
      }
      case 'freeze':
        return { kind: 'freezes', items: encodeFreezes([{ account: step.id, frozen: step.frozen }]) };
      case 'advance':
      case 'archive':
      case 'forget':
      case 'restart':
        return undefined;
    }
  }
}

async function expectJournal(run: CrashingLedger): Promise<void> {
  const follower = new JournalFollower();
  follower.follow(await run.frames());
  for (const { operation, results } of run.answered)
    expect(follower.results.get(keyOfOperation(operation))).toContainEqual(results);
  const ledger = present(run.ledger, 'an open ledger');
  for (const { owner: _, ...account } of follower.naive.accounts())
    expect(await ledger.account(account.id)).toEqual(account);
  await ledger.audit();
}

describe('a ledger that crashes', () => {
  const seen = { answers: 0, checkpoints: 0, runs: 0, tooOld: 0 };
  it.each(Array.from({ length: 40 }, (_, seed) => seed))('seed %i', async (seed) => {
    const run = new CrashingLedger(seed);
    const random = seededRandom(seed + 1000);
    await run.open();
    for (let round = 0; round < 12; round += 1) {
      await run.work(1 + Math.floor(random.fraction() * 40));
      if (random.fraction() < 0.5) await run.settle();
      await run.crash();
      await expectJournal(run);
    }
    await run.settle();
    await run.crash();
    await expectJournal(run);
    seen.answers += run.answered.length;
    seen.checkpoints += await run.count('ledger_checkpoint');
    seen.runs += await run.count('ledger_id_run');
    seen.tooOld += run.answered.filter(({ results }) => results.includes('id-too-old')).length;
  });

  it('has met all that it was to meet', () => {
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(50);
  });
});

describe('a crash at each boundary of the journal', () => {
  /** Each commit takes half of the longest time; what a crash meets is kept, or lost. */
  const luck = (fraction: number): Random => ({ ...seededRandom(1), fraction: () => fraction });
  const COMMIT_MS = 2.5;
  const STEPS = 60;

  it.each([
    ['kept', 0.49],
    ['lost', 0.5],
  ])('before and in every commit; one under way is %s', async (_, fraction) => {
    let frames = 0;
    for (let halves = 0; ; halves += 1) {
      const run = new CrashingLedger(7, luck(fraction));
      await run.open();
      run.begin(STEPS);
      await run.pass((halves * COMMIT_MS) / 2);
      await run.crash();
      await expectJournal(run);
      const before = frames;
      frames = (await run.frames()).length;
      expect(frames).toBeGreaterThanOrEqual(before);
      if (run.answered.length >= STEPS / 2 && frames === before && halves > 60) break;
    }
    expect(frames).toBeGreaterThan(5);
  });
});
