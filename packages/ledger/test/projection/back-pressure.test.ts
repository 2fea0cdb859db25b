// Shows that the history never falls behind by more than its bound, however slow the disk, that whoever books
// waits instead, and that nothing is lost by it; and that a history that fails stops the ledger.
import { seededRandom, silentLogger } from '@clawbernetes/kernel';
import { VirtualClock } from '@clawbernetes/kernel/testing';
import { LedgerMachine, NO_FLOOR, encodeAccounts, TransferBatch } from '@clawbernetes/ledger';
import { MemoryDisk, openMemoryStore } from '@clawbernetes/storage';
import { describe, expect, it } from 'vitest';
import { Projection, type ProjectionOptions } from '../../src/projection/projection.ts';
import { HISTORY_SCHEMA } from '../../src/projection/projection-schema.ts';
import { ProjectorInline } from '../../src/projection/projector-thread.ts';

const START_MS = Date.UTC(2026, 0, 1);

/** Knows the last frame that the projector has taken. */
class WatchedLink extends ProjectorInline {
  taken = 0;

  override listen(...[onReply, onFailed]: Parameters<ProjectorInline['listen']>): void {
    super.listen((reply) => {
      if ('taken' in reply) this.taken = reply.taken;
      onReply(reply);
    }, onFailed);
  }
}

/** A machine whose frames go to a history alone, with no journal. */
async function open(options: Partial<ProjectionOptions>, latencyMs: number) {
  const clock = new VirtualClock({ startMs: START_MS });
  const disk = new MemoryDisk({ clock, random: seededRandom(1) }, { minMs: latencyMs, maxMs: latencyMs });
  const store = await openMemoryStore({ clock }, disk, { schema: HISTORY_SCHEMA });
  const link = new WatchedLink();
  const projection = await Projection.open({ store, logger: silentLogger, link }, options);
  const machine = new LedgerMachine({ seed: 1 });
  projection.follow(machine);
  machine.advance(START_MS);
  const facts = { owner: new Uint8Array(32), floor: NO_FLOOR, asset: 1, code: 1, flags: 0 };
  machine.openAccounts(encodeAccounts([1n, 2n].map((id) => ({ ...facts, id }))));
  let sequence = 0;
  const frame = (count: number): void => {
    const batch = new TransferBatch(count);
    sequence += 1;
    for (let index = 0; index < count; index += 1) {
      const id = (BigInt(START_MS) << 80n) | BigInt(sequence * 10_000 + index);
      batch.add({ id, debitAccount: 1n, creditAccount: 2n, amount: 1n, code: 1 });
    }
    machine.transfer(batch.bytes);
    projection.take(sequence, START_MS);
    projection.durable(sequence);
  };
  return { link, clock, disk, store, projection, frame, machine };
}

/** Lets time pass until the promise is settled, in small steps. */
async function pass<Result>(clock: VirtualClock, work: Promise<Result>): Promise<Result> {
  let isDone = false;
  void Promise.allSettled([work]).then(() => {
    isDone = true;
  });
  for (let turn = 0; turn < 20_000; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    if (isDone) return work;
    if (turn > 2) await clock.advance(50);
  }
  throw new Error('it takes time without end');
}

describe('a history on a slow disk', () => {
  it('makes whoever books wait, within its bound, and has everything in the end', async () => {
    const bound = 20_000;
    const options = { maxLagMovements: bound, segmentMovements: 10_000 };
    const { link, clock, store, projection, frame } = await open(options, 500);
    let [most, waited] = [0, 0];
    for (let count = 0; count < 60; count += 1) {
      let isReady = false;
      const ready = projection.ready().then(() => {
        isReady = true;
      });
      await new Promise((resolve) => setImmediate(resolve));
      if (!isReady) waited += 1;
      await pass(clock, ready);
      frame(5000);
      const behind = 5000 * (count + 1 - link.taken);
      expect(projection.lag().movements).toBe(behind);
      most = Math.max(most, behind);
    }
    expect(waited).toBeGreaterThan(5);
    expect(most).toBeLessThanOrEqual(bound);
    // Something always waits when the bound is what holds it up.
    expect(most).toBeGreaterThan(bound / 2);
    await pass(clock, projection.settled());
    expect(projection.lag()).toEqual({ frames: 0, movements: 0 });
    const [newest] = (await pass(clock, projection.history.account(2n, { limit: 1 }))).movements;
    expect(newest).toMatchObject({ number: 299_999, after: { creditsPosted: 300_000n } });
    await pass(clock, projection[Symbol.asyncDispose]());
    await pass(clock, Promise.resolve(store[Symbol.asyncDispose]()));
  });

  it('bounds frames as well, which may be many and small', async () => {
    const { clock, projection, frame } = await open({ maxLagFrames: 10, segmentMovements: 1 }, 1000);
    for (let count = 0; count < 40; count += 1) {
      await pass(clock, projection.ready());
      frame(1);
      expect(projection.lag().frames).toBeLessThanOrEqual(10);
    }
    await pass(clock, projection.stored(40));
    expect(projection.position).toBe(40);
  });

  it('stops the ledger once the store has failed', async () => {
    const { clock, disk, projection, frame } = await open({ segmentMovements: 10 }, 5);
    frame(25);
    const stored = projection.stored(1);
    disk.setFull(true);
    const failure = { code: 'history-failed' };
    await expect(pass(clock, stored)).rejects.toMatchObject(failure);
    await expect(projection.ready()).rejects.toMatchObject(failure);
    await expect(projection.history.account(1n)).rejects.toMatchObject(failure);
    await expect(projection.stored(2)).rejects.toMatchObject(failure);
  });

  it('refuses a frame that is not the next one', async () => {
    const { projection, frame } = await open({}, 1);
    frame(1);
    expect(() => projection.take(3, START_MS)).toThrow('misses no frame');
  });
});
