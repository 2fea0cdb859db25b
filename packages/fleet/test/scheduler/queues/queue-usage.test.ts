// Shows that usage is the sum of what runs, all the way up, and that a refusal names the queue that causes
// it.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { amountOf, sameAmounts, sumOf, type Amounts } from '../../../src/scheduler/queues/amounts.ts';
import { QueueTree } from '../../../src/scheduler/queues/queue-tree.ts';
import { explainQueueStop, QueueUsage } from '../../../src/scheduler/queues/queue-usage.ts';
import { Worth } from '../../../src/scheduler/queues/worth.ts';
import { amountsArbitrary, gpus, leavesOf, queuesArbitrary } from './queue-fixture.ts';

const worth = new Worth();

/** Work that starts where it may, and ends in another order. */
const workArbitrary = fc.array(
  fc.record({ at: fc.nat(), vector: amountsArbitrary, preemptible: fc.boolean(), ends: fc.boolean() }),
  { maxLength: 25 },
);

interface Held {
  readonly queue: string;
  readonly vector: Amounts;
  readonly preemptible: boolean;
}

describe('usage of queues', () => {
  test('equals a recount, and no queue passes its limit or gives its guarantee away twice', () => {
    fc.assert(
      fc.property(queuesArbitrary, workArbitrary, (specs, work) => {
        const tree = new QueueTree(specs);
        const leaves = leavesOf(specs);
        const usage = new QueueUsage(tree, worth);
        const running: Held[] = [];
        for (const { at, vector, preemptible, ends } of work) {
          const queue = leaves[at % leaves.length]!;
          if (!usage.stopOf(queue, vector, preemptible)) {
            usage.charge(queue, vector, preemptible);
            running.push({ queue, vector, preemptible });
          }
          if (!ends) continue;
          for (const one of running.splice(at % running.length || 0, 1))
            usage.refund(one.queue, one.vector, one.preemptible);
        }
        for (const { name, guaranteed, limit } of tree.parentsFirst) {
          const below = running.filter(({ queue }) => tree.get(queue).path.some((one) => one.name === name));
          const firm = below.filter(({ preemptible }) => !preemptible);
          expect(sameAmounts(usage.used(name), sumOf(below.map(({ vector }) => vector)))).toBe(true);
          expect(sameAmounts(usage.firm(name), sumOf(firm.map(({ vector }) => vector)))).toBe(true);
          for (const [dimension, most] of limit)
            expect(amountOf(usage.used(name), dimension)).toBeLessThanOrEqual(most);
          for (const [dimension, amount] of worth.governed(usage.firm(name)))
            expect(amount).toBeLessThanOrEqual(amountOf(guaranteed, dimension));
        }
      }),
    );
  });

  const tree = new QueueTree([
    { name: 'research', guaranteed: gpus(8), limit: gpus(12) },
    { name: 'llm', parent: 'research', guaranteed: gpus(4) },
    { name: 'vision', parent: 'research', guaranteed: gpus(4), limit: gpus(4) },
  ]);

  test('a limit further up stops work and is named, with what would help', () => {
    const usage = new QueueUsage(tree, worth);
    usage.charge('llm', gpus(10), true);
    const stop = usage.stopOf('vision', gpus(3), true);
    expect(stop).toEqual({
      queue: 'research',
      rule: 'limit',
      dimension: 'gpu:h100',
      allowed: 12_000,
      used: 10_000,
      asked: 3000,
      never: false,
    });
    expect(explainQueueStop(stop!)).toBe(
      'It needs 3 × h100, but queue research may use 12 × h100, of which 10 × h100 are in use. ' +
        'It starts when work of that queue ends.',
    );
    expect(usage.stopOf('vision', gpus(2), true)).toBeUndefined();
  });

  test('what exceeds a limit in any case is told so', () => {
    const stop = new QueueUsage(tree, worth).stopOf('vision', gpus(5), true);
    expect(stop).toMatchObject({ queue: 'vision', rule: 'limit', never: true });
    expect(explainQueueStop(stop!)).toContain('Ask for less, or have its limit raised.');
  });

  test('work that may not be preempted does not borrow, however much is free', () => {
    const usage = new QueueUsage(tree, worth);
    usage.charge('llm', gpus(3), false);
    expect(usage.stopOf('llm', gpus(2), true)).toBeUndefined();
    expect(usage.stopOf('llm', gpus(1), false)).toBeUndefined();
    const stop = usage.stopOf('llm', gpus(2), false);
    expect(stop).toMatchObject({ queue: 'llm', rule: 'guarantee', allowed: 4000, used: 3000 });
    expect(explainQueueStop(stop!)).toContain('work that may be preempted could borrow');
  });

  test('limits that were lowered under running work refuse more, and let it end', () => {
    const lowered = new QueueUsage(new QueueTree([{ name: 'a', limit: gpus(1) }]), worth);
    lowered.charge('a', gpus(3), true);
    expect(lowered.stopOf('a', gpus(1), true)).toMatchObject({ queue: 'a', used: 3000 });
    lowered.refund('a', gpus(3), true);
    expect(lowered.stopOf('a', gpus(1), true)).toBeUndefined();
    expect(() => lowered.refund('a', gpus(1), true)).toThrow('gives back no more');
  });
});
