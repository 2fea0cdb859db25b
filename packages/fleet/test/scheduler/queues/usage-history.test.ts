// Shows that past use fades by half-lives, and lowers shares only of those who used much.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { amountOf, type Amounts } from '../../../src/scheduler/queues/amounts.ts';
import { fairShares } from '../../../src/scheduler/queues/fair-share.ts';
import { QueueTree } from '../../../src/scheduler/queues/queue-tree.ts';
import { UsageHistory, weightsAfterUse } from '../../../src/scheduler/queues/usage-history.ts';
import { Worth } from '../../../src/scheduler/queues/worth.ts';
import { gpus } from './queue-fixture.ts';

const HOUR_MS = 3_600_000;
const worth = new Worth();
const capacity = gpus(12);
const demand: Amounts = gpus(12);
const names = ['a', 'b', 'c'];

function shares(tree: QueueTree, history: UsageHistory): readonly number[] {
  const weights = weightsAfterUse(tree, history, worth.of(capacity), 1);
  const all = fairShares({
    tree,
    worth,
    capacity,
    weights,
    demand: new Map(names.map((name) => [name, demand])),
  });
  return names.map((name) => amountOf(all.get(name)!, 'gpu:h100'));
}

function historyOf(used: Readonly<Record<string, number>>): UsageHistory {
  const history = new UsageHistory({ halfLifeMs: HOUR_MS, startMs: 0 });
  history.advance(HOUR_MS, new Map(Object.entries(used)));
  return history;
}

const usedArbitrary = fc.record({ a: fc.nat(12), b: fc.nat(12), c: fc.nat(12) });
const weightsArbitrary = fc.tuple(...names.map(() => fc.integer({ min: 1, max: 9 })));
const treeOf = (weights: readonly number[]): QueueTree =>
  new QueueTree(names.map((name, at) => ({ name, weight: weights[at]! })));

describe('usage history', () => {
  test('counts half after a half-life', () => {
    const history = new UsageHistory({ halfLifeMs: HOUR_MS, startMs: 0 });
    history.advance(HOUR_MS, new Map([['a', 8]]));
    expect(history.mean('a')).toBe(4);
    history.advance(2 * HOUR_MS, new Map());
    expect(history.mean('a')).toBe(2);
    history.advance(HOUR_MS, new Map([['a', 100]]));
    expect(history.mean('a')).toBe(2); // a clock that was set back adds nothing
  });

  test('does not depend on how often it is called', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 9 * HOUR_MS }), { minLength: 1 }),
        fc.nat(1000),
        (steps, used) => {
          const [once, often] = [0, 0].map(() => new UsageHistory({ halfLifeMs: HOUR_MS, startMs: 0 }));
          let nowMs = 0;
          for (const step of steps) often!.advance((nowMs += step), new Map([['a', used]]));
          once!.advance(nowMs, new Map([['a', used]]));
          expect(often!.mean('a')).toBeCloseTo(once!.mean('a'), 6);
        },
      ),
    );
  });

  test('who used more gets less, and his rivals no less', () => {
    fc.assert(
      fc.property(weightsArbitrary, usedArbitrary, fc.integer({ min: 1, max: 12 }), (weights, used, more) => {
        const tree = treeOf(weights);
        const gpuWorth = Object.fromEntries(Object.entries(used).map(([name, count]) => [name, count * 1e6]));
        const before = shares(tree, historyOf(gpuWorth));
        const after = shares(tree, historyOf({ ...gpuWorth, a: gpuWorth['a']! + more * 1e6 }));
        expect(after[0]).toBeLessThanOrEqual(before[0]!);
        expect(after[1]).toBeGreaterThanOrEqual(before[1]!);
        expect(after[2]).toBeGreaterThanOrEqual(before[2]!);
      }),
    );
  });

  test('raising a weight never lowers its share, whatever was used', () => {
    fc.assert(
      fc.property(weightsArbitrary, usedArbitrary, fc.integer({ min: 1, max: 9 }), (weights, used, more) => {
        const history = historyOf(
          Object.fromEntries(Object.entries(used).map(([name, n]) => [name, n * 1e6])),
        );
        const heavier = weights.with(0, weights[0]! + more);
        expect(shares(treeOf(heavier), history)[0]).toBeGreaterThanOrEqual(
          shares(treeOf(weights), history)[0]!,
        );
      }),
    );
  });

  test('those who always use what their weights give them keep it', () => {
    const kept = shares(treeOf([1, 2, 3]), historyOf({ a: 2e6, b: 4e6, c: 6e6 }));
    // Whole parts of whole weights: each is at most one milli-GPU below the exact one.
    for (const [at, exact] of [2000, 4000, 6000].entries()) {
      expect(kept[at]).toBeLessThanOrEqual(exact);
      expect(kept[at]).toBeGreaterThanOrEqual(exact - 1);
    }
  });

  test('the share of one that starves rises while others go on using what they have', () => {
    fc.assert(
      fc.property(weightsArbitrary, fc.nat(12), (weights, part) => {
        const tree = treeOf(weights);
        const history = new UsageHistory({ halfLifeMs: 4 * HOUR_MS, startMs: 0 });
        const used = new Map([
          ['b', part * 1e6],
          ['c', (12 - part) * 1e6],
        ]);
        let last = 0;
        for (let hour = 1; hour <= 24; hour += 1) {
          const [starving = 0] = shares(tree, history);
          expect(starving).toBeGreaterThanOrEqual(last);
          last = starving;
          history.advance(hour * HOUR_MS, used);
        }
        expect(last).toBeGreaterThan(shares(tree, new UsageHistory({ halfLifeMs: 1, startMs: 0 }))[0]!);
      }),
    );
  });
});
