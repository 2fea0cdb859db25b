// Shows that fair shares are fair: within capacity, demand and limits, guarantees first, no envy, monotone.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { amountOf, sumOf, type Amounts, type Dimension } from '../../../src/scheduler/queues/amounts.ts';
import { fairShares, totalDemand, type FairShares } from '../../../src/scheduler/queues/fair-share.ts';
import type { QueueSpec } from '../../../src/scheduler/queues/queue-spec.ts';
import { QueueTree, type Queue } from '../../../src/scheduler/queues/queue-tree.ts';
import { waterFill } from '../../../src/scheduler/queues/water-filling.ts';
import { Worth } from '../../../src/scheduler/queues/worth.ts';
import { amountsArbitrary, gpus, leavesOf, queuesArbitrary } from './queue-fixture.ts';

const worth = new Worth({ cpu: 10 });
const DIMENSIONS: readonly Dimension[] = ['gpu:h100', 'gpu:a100', 'cpuMilli'];

interface Case {
  readonly specs: readonly QueueSpec[];
  readonly byLeaf: ReadonlyMap<string, Amounts>;
  readonly capacity: Amounts;
  /** Any number, to choose a queue by. */
  readonly pick: number;
}

const caseArbitrary: fc.Arbitrary<Case> = fc
  .tuple(
    queuesArbitrary,
    fc.array(amountsArbitrary, { minLength: 1, maxLength: 8 }),
    amountsArbitrary,
    fc.nat(6),
    fc.nat(),
  )
  .map(([specs, demands, unit, times, pick]) => ({
    specs,
    byLeaf: new Map(leavesOf(specs).map((leaf, at) => [leaf, demands[at % demands.length]!])),
    capacity: sumOf(Array.from({ length: times }, () => unit)),
    pick,
  }));

function sharesOf({ specs, byLeaf, capacity }: Omit<Case, 'pick'>): FairShares {
  const tree = new QueueTree(specs);
  return fairShares({ tree, worth, capacity, demand: totalDemand(tree, byLeaf) });
}

function shareIn(shares: FairShares, queue: string, dimension: Dimension): number {
  return amountOf(shares.get(queue)!, dimension);
}

/** What a queue could use at most, computed on its own. */
function wantOf({ name, children, limit }: Queue, { byLeaf }: Case, dimension: Dimension): number {
  const below = children.reduce((sum, child) => sum + wantOf(child, { byLeaf } as Case, dimension), 0);
  const want = children.length > 0 ? below : amountOf(byLeaf.get(name)!, dimension);
  return Math.min(want, limit.get(dimension) ?? Infinity);
}

function eachQueue(one: Case, check: (queue: Queue, dimension: Dimension, shares: FairShares) => void): void {
  const shares = sharesOf(one);
  for (const queue of new QueueTree(one.specs).parentsFirst) {
    for (const dimension of DIMENSIONS) check(queue, dimension, shares);
  }
}

describe('fair shares', () => {
  test('sum to at most the capacity, and of children to at most their parent’s', () => {
    fc.assert(
      fc.property(caseArbitrary, (one) => {
        const shares = sharesOf(one);
        const { top, parentsFirst } = new QueueTree(one.specs);
        const sum = (queues: readonly Queue[], dimension: Dimension): number =>
          queues.reduce((all, { name }) => all + shareIn(shares, name, dimension), 0);
        for (const dimension of DIMENSIONS) {
          expect(sum(top, dimension)).toBeLessThanOrEqual(amountOf(one.capacity, dimension));
          for (const { name, children } of parentsFirst)
            expect(sum(children, dimension)).toBeLessThanOrEqual(shareIn(shares, name, dimension));
        }
      }),
    );
  });

  test('are never more than demand and limit', () => {
    fc.assert(
      fc.property(caseArbitrary, (one) => {
        eachQueue(one, (queue, dimension, shares) => {
          expect(shareIn(shares, queue.name, dimension)).toBeLessThanOrEqual(wantOf(queue, one, dimension));
        });
      }),
    );
  });

  test('hold at least the guarantee that is wanted, if all guarantees fit', () => {
    fc.assert(
      fc.property(caseArbitrary, (one) => {
        const guaranteed = sumOf(new QueueTree(one.specs).top.map((queue) => queue.guaranteed));
        const roomy = { ...one, capacity: sumOf([one.capacity, guaranteed]) };
        eachQueue(roomy, (queue, dimension, shares) => {
          const own = Math.min(amountOf(queue.guaranteed, dimension), wantOf(queue, one, dimension));
          expect(shareIn(shares, queue.name, dimension)).toBeGreaterThanOrEqual(own);
        });
      }),
    );
  });

  test('leave no more than the rounding behind while somebody with weight wants it', () => {
    fc.assert(
      fc.property(caseArbitrary, (one) => {
        const shares = sharesOf(one);
        const { top } = new QueueTree(one.specs);
        for (const dimension of DIMENSIONS) {
          const given = top.reduce((sum, { name }) => sum + shareIn(shares, name, dimension), 0);
          const left = amountOf(one.capacity, dimension) - given;
          const hungry = top.filter(
            (queue) =>
              queue.weight > 0 && shareIn(shares, queue.name, dimension) < wantOf(queue, one, dimension),
          );
          if (hungry.length > 0) expect(left).toBeLessThan(2 * top.length);
        }
      }),
    );
  });

  test('give nobody reason to envy a sibling of the same guarantee, class and weight', () => {
    fc.assert(
      fc.property(caseArbitrary, fc.nat(), fc.nat(), (one, first, second) => {
        const twin = { guaranteed: gpus(1), weight: 2 };
        const specs: QueueSpec[] = [...one.specs, { name: 'twin-a', ...twin }, { name: 'twin-b', ...twin }];
        const demands = { a: (first % 40) * 100, b: (second % 40) * 100 };
        const byLeaf = new Map(one.byLeaf)
          .set('twin-a', new Map([['gpu:h100', demands.a] as const]))
          .set('twin-b', new Map([['gpu:h100', demands.b] as const]));
        const shares = sharesOf({ ...one, specs, byLeaf });
        const a = shareIn(shares, 'twin-a', 'gpu:h100');
        const b = shareIn(shares, 'twin-b', 'gpu:h100');
        if (a < demands.a) expect(b).toBeLessThanOrEqual(a + 1);
        if (b < demands.b) expect(a).toBeLessThanOrEqual(b + 1);
      }),
    );
  });

  test('never fall when the own weight rises', () => {
    fc.assert(
      fc.property(caseArbitrary, fc.integer({ min: 1, max: 50 }), (one, more) => {
        const at = one.pick % one.specs.length;
        const { name, weight = 1 } = one.specs[at]!;
        const heavier = one.specs.with(at, { ...one.specs[at]!, weight: weight + more });
        const [before, after] = [sharesOf(one), sharesOf({ ...one, specs: heavier })];
        for (const dimension of DIMENSIONS)
          expect(shareIn(after, name, dimension)).toBeGreaterThanOrEqual(shareIn(before, name, dimension));
      }),
    );
  });

  test('do not depend on the order of queues', () => {
    fc.assert(
      fc.property(caseArbitrary, (one) => {
        const reversed = {
          ...one,
          specs: one.specs.toReversed(),
          byLeaf: new Map([...one.byLeaf].toReversed()),
        };
        expect(sharesOf(reversed)).toEqual(sharesOf(one));
      }),
    );
  });

  test('stay the same where everybody demands just his share', () => {
    fc.assert(
      fc.property(caseArbitrary, (one) => {
        const shares = sharesOf(one);
        const byLeaf = new Map(leavesOf(one.specs).map((leaf) => [leaf, shares.get(leaf)!]));
        const again = sharesOf({ ...one, byLeaf });
        for (const leaf of byLeaf.keys())
          for (const dimension of DIMENSIONS)
            expect(shareIn(again, leaf, dimension)).toBe(shareIn(shares, leaf, dimension));
      }),
    );
  });

  test('never fall for a queue that starves, while it wants as much or more and the others the same', () => {
    fc.assert(
      fc.property(caseArbitrary, amountsArbitrary, (one, more) => {
        const leaves = leavesOf(one.specs);
        const starving = leaves[one.pick % leaves.length]!;
        const byLeaf = new Map(one.byLeaf).set(starving, sumOf([one.byLeaf.get(starving)!, more]));
        const [before, after] = [sharesOf(one), sharesOf({ ...one, byLeaf })];
        for (const dimension of DIMENSIONS)
          expect(shareIn(after, starving, dimension)).toBeGreaterThanOrEqual(
            shareIn(before, starving, dimension),
          );
      }),
    );
  });
});

describe('by hand', () => {
  const capacity = gpus(10);
  const all = (specs: readonly QueueSpec[], demand: Record<string, number>): Record<string, number> => {
    const byLeaf = new Map(Object.entries(demand).map(([leaf, count]) => [leaf, gpus(count)]));
    const shares = sharesOf({ specs, byLeaf, capacity });
    return Object.fromEntries(Object.keys(demand).map((leaf) => [leaf, shareIn(shares, leaf, 'gpu:h100')]));
  };

  test('what a queue does not want goes to the others by weight', () => {
    const specs = [
      { name: 'a', weight: 1 },
      { name: 'b', weight: 3 },
      { name: 'c', weight: 1 },
    ];
    expect(all(specs, { a: 2, b: 20, c: 20 })).toEqual({ a: 2000, b: 6000, c: 2000 });
    expect(all(specs, { a: 1, b: 20, c: 20 })).toEqual({ a: 1000, b: 6750, c: 2250 });
  });

  test('guarantees come before any surplus, a higher class before any lower', () => {
    const specs = [
      { name: 'a', guaranteed: gpus(4) },
      { name: 'b', priorityClass: 1 },
      { name: 'c', guaranteed: gpus(1) },
    ];
    expect(all(specs, { a: 9, b: 3, c: 9 })).toEqual({ a: 5000, b: 3000, c: 2000 });
    expect(all(specs, { a: 9, b: 9, c: 9 })).toEqual({ a: 4000, b: 5000, c: 1000 });
  });

  test('guarantees that nodes lost no longer carry shrink alike', () => {
    const specs = [
      { name: 'a', guaranteed: gpus(12) },
      { name: 'b', guaranteed: gpus(4) },
      { name: 'c', guaranteed: gpus(4) },
    ];
    expect(all(specs, { a: 20, b: 20, c: 1 })).toEqual({ a: 6750, b: 2250, c: 1000 });
  });

  test('a department’s share is divided among its own', () => {
    const specs = [
      { name: 'research', guaranteed: gpus(6) },
      { name: 'llm', parent: 'research', guaranteed: gpus(4) },
      { name: 'vision', parent: 'research' },
      { name: 'web' },
    ];
    expect(all(specs, { llm: 9, vision: 9, web: 9 })).toEqual({ llm: 6000, vision: 2000, web: 2000 });
    expect(all(specs, { llm: 0, vision: 9, web: 9 })).toEqual({ llm: 0, vision: 8000, web: 2000 });
  });

  test('products beyond 2^53 are exact', () => {
    const amount = 2 ** 52 + 1;
    const cups = [
      { need: 2 ** 52, weight: 9999 },
      { need: 2 ** 52, weight: 10_000 },
    ];
    const exact = (weight: bigint): number => Number((BigInt(amount) * weight) / 19_999n);
    expect(waterFill(amount, cups)).toEqual([exact(9999n), exact(10_000n)]);
  });
});
