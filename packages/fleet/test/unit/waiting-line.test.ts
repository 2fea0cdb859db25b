// Shows that workloads of one shape wait in the order of their submission, whenever they come or come back.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { workloadSpecSchema } from '@clawbernetes/protocol';
import type { WorkloadRecord } from '../../src/index.ts';
import { allOf } from '../../src/scheduler/queues/listed-shapes.ts';
import { PendingQueue } from '../../src/workload/pending-queue.ts';
import { WaitingLine } from '../../src/workload/waiting-line.ts';

const spec = workloadSpecSchema.parse({ command: ['true'] });

function workload(number: number, cpuMilli = 100): WorkloadRecord {
  const id = `wl-${String(number).padStart(4, '0')}`;
  const resources = { ...spec.resources, cpuMilli };
  return {
    ...{ id, namespace: 'default', name: id, spec: { ...spec, resources }, state: 'queued' },
    ...{ submittedAtMs: number, stopRequested: false, attempts: 0 },
  };
}

test('in whatever order they come and go', () => {
  const change = fc.record({ number: fc.nat(30), comes: fc.boolean() });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 80 }), (changes) => {
      const line = new WaitingLine();
      const model = new Set<string>();
      for (const { number, comes } of changes) {
        const one = workload(number);
        if (comes) line.add(one);
        else line.delete(one.id);
        if (comes) model.add(one.id);
        else model.delete(one.id);
        const expected = [...model].toSorted();
        expect([...line.ids()]).toEqual(expected);
        expect(line.first?.id).toBe(expected[0]);
        expect(line.size).toBe(expected.length);
      }
    }),
  );
});

test('of many, in whatever order they leave, while others come', () => {
  const numbers = Array.from({ length: 200 }, (_, number) => number);
  const leaving = fc.shuffledSubarray(numbers, { minLength: 150 });
  fc.assert(
    fc.property(leaving, (left) => {
      const line = new WaitingLine();
      const model = new Map(numbers.map((number) => [workload(number).id, workload(number)]));
      for (const one of model.values()) line.add(one);
      for (const [index, number] of left.entries()) {
        line.delete(workload(number).id);
        model.delete(workload(number).id);
        if (index % 10 === 0) line.add(workload(200 + index));
        if (index % 10 === 0) model.set(workload(200 + index).id, workload(200 + index));
        expect([...line.ids()]).toEqual([...model.keys()]);
        expect(line.first).toEqual([...model.values()][0]);
        expect(line.size).toBe(model.size);
      }
    }),
    { numRuns: 10 },
  );
});

test('of two that come back the later one does not end up behind all that came after it', () => {
  const queue = new PendingQueue();
  for (const number of [20, 21, 22]) queue.add(workload(number));
  for (const number of [4, 8]) queue.add(workload(number));
  const [first] = allOf(queue.turn(10, new Set()));
  expect(first?.workloadIds).toEqual([4, 8, 20, 21, 22].map((n) => workload(n).id));
});

test('a queue in which nobody waits any more is forgotten', () => {
  const queue = new PendingQueue((asked) => asked.queue ?? 'default');
  for (const number of [1, 2, 3]) queue.add({ ...workload(number), spec: { ...spec, queue: `q${number}` } });
  queue.remove(workload(2).id);
  expect([...queue.turn(10, new Set()).queues()]).toEqual(['q1', 'q3']);
});

test('the first that are blocked are those that would be first of all in order', () => {
  const numbers = fc.uniqueArray(fc.nat(40), { maxLength: 20 });
  fc.assert(
    fc.property(numbers, fc.integer({ min: 1, max: 6 }), (all, count) => {
      const queue = new PendingQueue();
      for (const number of all) queue.add({ ...workload(number, 100 + (number % 12)), priority: number % 3 });
      const blocked = Array.from(allOf(queue.turn(0, new Set())), ({ key }) => key);
      queue.settle({ placements: [], blocked });
      const expected = queue.blockedShapes(1).slice(0, count);
      expect(queue.firstBlocked(count)).toEqual(expected);
    }),
  );
});
