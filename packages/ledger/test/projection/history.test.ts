// Shows on a simulated disk that the history of a ledger which crashes at any moment is the plainest list
// that can be made from its journal: nothing missing, nothing twice, whether in memory or in segments.
import { present, seededRandom } from '@clawbernetes/kernel';
import { POSSIBLE_ACCOUNTS } from '@clawbernetes/ledger/testing';
import type { Row } from '@clawbernetes/storage';
import { describe, expect, it } from 'vitest';
import type { AccountMovement } from '../../src/projection/movement.ts';
import { compareHistory } from './compare-history.ts';
import { NaiveHistory } from './naive-history.ts';
import { ProjectedLedger } from './projected-ledger.ts';

describe('the history of a ledger that crashes', () => {
  const seen = { movements: 0, segments: 0, withHeads: 0, expired: 0, checkpoints: 0 };

  it.each(Array.from({ length: 24 }, (_, seed) => seed))('seed %i', async (seed) => {
    // So small that there are hundreds, or larger than all that is booked.
    const run = new ProjectedLedger(seed, [1, 20, 150, 5000][seed % 4] ?? 1);
    const naive = new NaiveHistory();
    const random = seededRandom(seed + 1000);
    await run.open();
    for (let round = 0; round < 8; round += 1) {
      await run.work(1 + Math.floor(random.fraction() * 60));
      if (random.fraction() < 0.3) await compareHistory(run, naive, seed);
      await run.crash();
      // From a checkpoint that the history has not reached no replay could begin.
      expect(newest(await run.checkpoints())).toBeLessThanOrEqual(newest(await run.segments()));
      if (random.fraction() < 0.3) await compareHistory(run, naive, seed);
    }
    await compareHistory(run, naive, seed);
    const segments = await run.segments();
    seen.movements += naive.count;
    seen.segments += segments.length;
    seen.withHeads += segments.filter((row) => row['heads'] === 1).length;
    seen.expired += [...naive.byAccount.values()].flat().filter(({ effect }) => effect === 'expired').length;
    seen.checkpoints += (await run.checkpoints()).length;
    await run.close();
    expect(naive.count).toBeGreaterThan(0);
  });

  it('has met all that it was to meet', () => {
    expect(seen.movements).toBeGreaterThan(5000);
    expect(seen.segments).toBeGreaterThan(500);
    expect(seen.withHeads).toBeGreaterThan(20);
    expect(seen.expired).toBeGreaterThan(100);
    // A replay begins with one, and so after segments that it must not make again.
    expect(seen.checkpoints).toBeGreaterThan(24);
  });
});

describe('a history that comes later than its ledger', () => {
  it('has everything from the beginning, past all checkpoints', async () => {
    const run = new ProjectedLedger(11, 30);
    await run.open(false);
    await run.work(200);
    await run.settle();
    expect(await run.checkpoints()).not.toEqual([]);
    await run.crash();
    await compareHistory(run, new NaiveHistory(), 11);
    await run.work(50);
    await run.crash();
    await compareHistory(run, new NaiveHistory(), 12);
    await run.close();
  });
});

/** The last frame of any of them. */
function newest(rows: readonly Row[]): number {
  return Math.max(0, ...rows.map((row) => Number(row['sequence'])));
}

describe('a history', () => {
  it('tells nothing that a crash could take back', async () => {
    const run = new ProjectedLedger(3, 40);
    await run.open();
    let [told, waited] = [0, 0];
    for (let step = 0; step < 300; step += 1) {
      await run.work(1);
      for (const { id } of POSSIBLE_ACCOUNTS) {
        const [movement] = (await run.projection.history.account(id, { limit: 1 })).movements;
        told = Math.max(told, movement?.sequence ?? 0);
      }
      const durable = (await run.frames()).length;
      expect(told).toBeLessThanOrEqual(durable);
      if (durable < run.ledger.sequence) waited += 1;
    }
    expect(told).toBeGreaterThan(20);
    expect(waited).toBeGreaterThan(20);
    await run.close();
  });
});

describe('pages', () => {
  it('do not change while more is booked', async () => {
    const run = new ProjectedLedger(5, 40);
    const naive = new NaiveHistory();
    await run.open();
    await run.work(150);
    await run.settle();
    naive.follow(await run.frames());
    const before = naive.count;
    const [id, list] = present(
      [...naive.byAccount].toSorted(([, left], [, right]) => right.length - left.length)[0],
      'an account',
    );
    const read: AccountMovement[] = [];
    let page = await run.projection.history.account(id, { limit: 7 });
    for (;;) {
      read.push(...page.movements);
      if (page.next === undefined) break;
      await run.work(5);
      await run.settle();
      page = await run.projection.history.account(id, { limit: 7, after: page.next });
    }
    expect(read).toEqual(list.toReversed());
    naive.follow(await run.frames());
    expect(naive.count).toBeGreaterThan(before);
    await run.close();
  });
});
