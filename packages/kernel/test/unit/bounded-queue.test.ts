// Shows that BoundedQueue behaves like a plain array with a limit, under any sequence of operations.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { BoundedQueue } from '@clawbernetes/kernel';

type Operation =
  | { readonly kind: 'push' | 'pushDroppingOldest'; readonly item: number }
  | { readonly kind: 'shift' | 'peek' }
  | { readonly kind: 'drain'; readonly limit: number };

const anyOperation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('push' as const), item: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pushDroppingOldest' as const), item: fc.nat() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('shift' as const, 'peek' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('drain' as const), limit: fc.nat(8) }) },
);

/** What `BoundedQueue` should answer, on an array. */
function onModel(model: number[], capacity: number, operation: Operation): unknown {
  switch (operation.kind) {
    case 'push':
      return model.length < capacity && model.push(operation.item) > 0;
    case 'pushDroppingOldest': {
      const dropped = model.length < capacity ? undefined : model.shift();
      model.push(operation.item);
      return dropped;
    }
    case 'shift':
      return model.shift();
    case 'peek':
      return model[0];
    case 'drain':
      return model.splice(0, operation.limit);
  }
}

function onQueue(queue: BoundedQueue<number>, operation: Operation): unknown {
  switch (operation.kind) {
    case 'push':
    case 'pushDroppingOldest':
      return queue[operation.kind](operation.item);
    case 'shift':
    case 'peek':
      return queue[operation.kind]();
    case 'drain':
      return queue.drain(operation.limit);
  }
}

it('answers what an array with a limit would', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }),
      fc.array(anyOperation, { maxLength: 60 }),
      (capacity, operations) => {
        const queue = new BoundedQueue<number>(capacity);
        const model: number[] = [];
        for (const each of operations) {
          expect(onQueue(queue, each)).toEqual(onModel(model, capacity, each));
          expect(queue.size).toBe(model.length);
        }
      },
    ),
  );
});

it('keeps order across the compaction of its array', () => {
  const queue = new BoundedQueue<number>(2000);
  const taken: (number | undefined)[] = [];
  for (let item = 0; item < 10_000; item += 1) {
    if (!queue.push(item)) throw new Error('the queue is full');
    if (item >= 1500) taken.push(queue.shift());
  }
  taken.push(...queue.drain());
  expect(taken).toEqual(Array.from({ length: 10_000 }, (_, item) => item));
});

it.each([0, -1, 1.5, Number.NaN])('refuses a capacity of %s', (capacity) => {
  expect(() => new BoundedQueue(capacity)).toThrow(expect.objectContaining({ code: 'assertion-failed' }));
});
