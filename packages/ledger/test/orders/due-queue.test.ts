// Shows that what is due comes at its time, the earliest first, as if all of it were sorted each time.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DueQueue } from '../../src/orders/due-queue.ts';

const steps = fc.array(
  fc.oneof(
    fc.record({ key: fc.nat(20), atMs: fc.nat(50) }),
    fc.record({ gone: fc.nat(20) }),
    fc.record({ timeMs: fc.nat(50) }),
  ),
  { maxLength: 200, size: 'max' },
);

test('like a sorted list', () => {
  fc.assert(
    fc.property(steps, (done) => {
      const queue = new DueQueue();
      const naive = new Map<string, number>();
      const sorted = (): [string, number][] =>
        [...naive].toSorted(([left, at], [right, other]) => at - other || (left < right ? -1 : 1));
      for (const step of done) {
        if ('key' in step) {
          queue.set(`k${step.key}`, step.atMs);
          naive.set(`k${step.key}`, step.atMs);
        } else if ('gone' in step) {
          queue.delete(`k${step.gone}`);
          naive.delete(`k${step.gone}`);
        } else {
          const [first] = sorted();
          const due = first && first[1] <= step.timeMs ? first[0] : undefined;
          expect(queue.take(step.timeMs)).toBe(due);
          if (due !== undefined) naive.delete(due);
        }
        expect(queue.nextMs).toBe(sorted()[0]?.[1] ?? Infinity);
        expect(queue.size).toBe(naive.size);
      }
      expect(new Map(queue.entries())).toEqual(naive);
    }),
  );
});

test('keys that move a thousand times leave nothing behind that comes up later', () => {
  const queue = new DueQueue();
  for (let atMs = 0; atMs < 10_000; atMs += 1) queue.set(`k${atMs % 3}`, 20_000 - atMs);
  expect(queue.take(10_000)).toBeUndefined();
  expect([queue.take(10_003), queue.take(10_003), queue.take(10_003)]).toEqual(['k0', 'k2', 'k1']);
  expect(queue.nextMs).toBe(Infinity);
});

test('many keys whose times are moved again and again', () => {
  const queue = new DueQueue();
  const keys = Array.from({ length: 200_000 }, (_, index) => `key-${index}`);
  for (const atMs of [30, 20, 10]) for (const key of keys) queue.set(key, atMs);
  expect(queue.size).toBe(keys.length);
  expect(queue.nextMs).toBe(10);
  expect(queue.take(10)).toBe('key-0');
});
