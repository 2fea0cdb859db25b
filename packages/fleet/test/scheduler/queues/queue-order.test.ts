// Shows who is served next: guarantees first, then who has least of his share; and that nobody starves.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { amountOf, type Amounts } from '../../../src/scheduler/queues/amounts.ts';
import { fairShares, totalDemand } from '../../../src/scheduler/queues/fair-share.ts';
import { QueueOrder } from '../../../src/scheduler/queues/queue-order.ts';
import type { QueueSpec } from '../../../src/scheduler/queues/queue-spec.ts';
import { QueueTree } from '../../../src/scheduler/queues/queue-tree.ts';
import { QueueUsage } from '../../../src/scheduler/queues/queue-usage.ts';
import { compareWithinQueue, type WaitingWork } from '../../../src/scheduler/queues/workload-order.ts';
import { Worth } from '../../../src/scheduler/queues/worth.ts';
import { gpus, leavesOf, queuesArbitrary } from './queue-fixture.ts';

const worth = new Worth();

function waiting(queue: string, changes: Partial<WaitingWork> = {}): WaitingWork {
  return {
    id: `of-${queue}`,
    queue,
    priority: 0,
    submittedMs: 0,
    amounts: gpus(1),
    preemptible: true,
    ...changes,
  };
}

/** A fleet of 12 H100 in which every queue wants all of them. */
function orderOf(specs: readonly QueueSpec[], used: Readonly<Record<string, Amounts>> = {}) {
  const tree = new QueueTree(specs);
  const usage = new QueueUsage(tree, worth);
  for (const [queue, vector] of Object.entries(used)) usage.charge(queue, vector, true);
  const demand = totalDemand(tree, new Map(leavesOf(specs).map((leaf) => [leaf, gpus(12, 12)])));
  const shares = fairShares({ tree, worth, capacity: gpus(12), demand });
  return { usage, order: new QueueOrder({ tree, worth, usage, shares }) };
}

/** The queues in the order in which their only workloads are served. */
function served(
  specs: readonly QueueSpec[],
  used: Record<string, Amounts>,
  works: readonly WaitingWork[],
): string[] {
  const { order } = orderOf(specs, used);
  for (const work of works) order.offer(work.queue, work);
  const names: string[] = [];
  for (let next = order.next(); next; next = order.next()) {
    names.push(next.queue);
    order.offer(next.queue, undefined);
  }
  return names;
}

describe('the next queue', () => {
  const three = [{ name: 'a' }, { name: 'b' }, { name: 'c' }];

  test('is the one with the least of its fair share, whatever priorities say', () => {
    const works = [waiting('a', { priority: 9 }), waiting('b'), waiting('c')];
    expect(served(three, { a: gpus(3), b: gpus(1), c: gpus(2) }, works)).toEqual(['b', 'c', 'a']);
  });

  test('counts the share by weight', () => {
    const specs = [
      { name: 'a', weight: 4 },
      { name: 'b', weight: 2 },
    ];
    expect(served(specs, { a: gpus(5), b: gpus(3) }, [waiting('a'), waiting('b')])).toEqual(['a', 'b']);
  });

  test('is one within its guarantee before any that borrows', () => {
    const specs = [
      { name: 'a', guaranteed: gpus(4) },
      { name: 'b', priorityClass: 5 },
    ];
    expect(served(specs, { a: gpus(3) }, [waiting('a'), waiting('b')])).toEqual(['a', 'b']);
    expect(served(specs, { a: gpus(4) }, [waiting('a'), waiting('b')])).toEqual(['b', 'a']);
  });

  test('is by priority, then waiting time, then name where shares are equally used', () => {
    const works = [
      waiting('a', { submittedMs: 5 }),
      waiting('b', { submittedMs: 4 }),
      waiting('c', { priority: 1 }),
    ];
    expect(served(three, {}, works)).toEqual(['c', 'b', 'a']);
    expect(served(three, {}, [waiting('c'), waiting('b'), waiting('a')])).toEqual(['a', 'b', 'c']);
  });

  test('is chosen among siblings: a department’s use counts before its teams’', () => {
    const specs = [
      { name: 'research' },
      { name: 'llm', parent: 'research' },
      { name: 'vision', parent: 'research' },
      { name: 'web' },
    ];
    const works = [waiting('llm'), waiting('vision'), waiting('web')];
    expect(served(specs, { llm: gpus(5), web: gpus(4) }, works)).toEqual(['web', 'vision', 'llm']);
  });

  test('is one that stays within its fair share before any that would pass it', () => {
    const specs = [
      { name: 'a', weight: 2 },
      { name: 'b', weight: 3 },
      { name: 'c', weight: 5 },
    ];
    const used = { a: gpus(2), b: gpus(3), c: gpus(5) };
    expect(served(specs, used, [waiting('a'), waiting('b'), waiting('c')])).toEqual(['c', 'a', 'b']);
  });

  test('looks only at what its work asks for', () => {
    const works = [waiting('a'), waiting('b')];
    expect(served(three, { a: gpus(0, 9), b: gpus(1) }, works)).toEqual(['a', 'b']);
  });

  test('changes once its use has, if it is told', () => {
    const { order, usage } = orderOf(three);
    for (const { name } of three) order.offer(name, waiting(name));
    const first: string[] = [];
    for (let turn = 0; turn < 6; turn += 1) {
      const next = order.next()!;
      first.push(next.queue);
      usage.charge(next.queue, next.amounts, true);
      order.touch(next.queue);
    }
    expect(first).toEqual(['a', 'b', 'c', 'a', 'b', 'c']);
  });

  test('is the same with what was remembered as without', () => {
    const step = fc.record({
      at: fc.nat(),
      head: fc.option(fc.tuple(fc.nat(3), fc.nat(3))),
      used: fc.nat(3),
    });
    fc.assert(
      fc.property(queuesArbitrary, fc.array(step, { maxLength: 20 }), (specs, steps) => {
        const leaves = leavesOf(specs);
        const { order, usage } = orderOf(specs);
        const heads = new Map<string, WaitingWork>();
        const used: Record<string, Amounts> = {};
        for (const { at, head, used: more } of steps) {
          const queue = leaves[at % leaves.length]!;
          const work = head ? waiting(queue, { priority: head[0], submittedMs: head[1] }) : undefined;
          if (work) heads.set(queue, work);
          else heads.delete(queue);
          order.offer(queue, work);
          usage.charge(queue, gpus(more), true);
          order.touch(queue);
          used[queue] = gpus(more + amountOf(used[queue] ?? gpus(0), 'gpu:h100') / 1000);
          const { order: fresh } = orderOf(specs, used);
          for (const one of heads.values()) fresh.offer(one.queue, one);
          expect(order.next()).toEqual(fresh.next());
        }
      }),
    );
  });
});

describe('starvation', () => {
  /** Work of one GPU for a few steps; every queue always has more waiting. */
  const loadArbitrary = fc.record({
    weights: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 2, maxLength: 5 }),
    lengths: fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 3, maxLength: 9 }),
    greedy: fc.nat(),
  });

  test('no queue with weight waits for ever: once all old work has ended, each has its whole share', () => {
    fc.assert(
      fc.property(loadArbitrary, ({ weights, lengths, greedy }) => {
        const specs = weights.map((weight, at) => ({ name: `q${at}`, weight }));
        const { order, usage } = orderOf(specs, { [`q${greedy % specs.length}`]: gpus(12) });
        let ending = Array.from({ length: 12 }, () => ({ queue: `q${greedy % specs.length}`, atStep: 7 }));
        const all = weights.reduce((sum, weight) => sum + weight, 0);
        for (let step = 0; step < 40; step += 1) {
          for (const { queue } of ending.filter(({ atStep }) => atStep === step)) {
            usage.refund(queue, gpus(1), true);
            order.touch(queue);
          }
          ending = ending.filter(({ atStep }) => atStep !== step);
          for (const { name } of specs) order.offer(name, waiting(name, { id: `${name}-${step}` }));
          while (ending.length < 12) {
            const { queue } = order.next()!;
            usage.charge(queue, gpus(1), true);
            order.touch(queue);
            ending.push({ queue, atStep: step + lengths[(step + ending.length) % lengths.length]! });
          }
          if (step < 14) continue;
          for (const [at, weight] of weights.entries())
            expect(amountOf(usage.used(`q${at}`), 'gpu:h100')).toBeGreaterThanOrEqual(
              Math.floor((12 * weight) / all) * 1000,
            );
        }
      }),
    );
  });

  const workArbitrary = fc
    .record({ priority: fc.integer({ min: -3, max: 3 }), submittedMs: fc.nat(50), id: fc.nat(5) })
    .map(({ id, ...work }) => waiting('a', { ...work, id: `w${id}` }));

  test('within a queue the order is total: by priority, then submission, then id', () => {
    fc.assert(
      fc.property(
        fc.array(workArbitrary),
        fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }),
        (works, agingMs) => {
          const sorted = works.toSorted((one, other) => compareWithinQueue(one, other, agingMs));
          const again = works.toReversed().toSorted((one, other) => compareWithinQueue(one, other, agingMs));
          expect(again).toEqual(sorted);
          for (const [at, one] of sorted.entries()) {
            const next = sorted[at + 1];
            if (!next) continue;
            const key = ({ priority, submittedMs, id }: WaitingWork) =>
              agingMs ? [submittedMs - priority * agingMs, submittedMs, id] : [-priority, submittedMs, id];
            const difference = key(one).map((part, index) =>
              part < key(next)[index]! ? -1 : part > key(next)[index]! ? 1 : 0,
            );
            expect(difference.find((sign) => sign !== 0) ?? 0).toBeLessThanOrEqual(0);
          }
        },
      ),
    );
  });

  test('with aging a stream of higher priority passes work only for so long', () => {
    const old = waiting('a', { id: 'old', submittedMs: 0 });
    const passes = (submittedMs: number): boolean =>
      compareWithinQueue(waiting('a', { id: 'new', priority: 2, submittedMs }), old, 1000) < 0;
    expect(passes(1999)).toBe(true);
    expect(passes(2001)).toBe(false);
  });
});
