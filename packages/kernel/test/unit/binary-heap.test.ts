// Shows that a heap gives its entries in their order, whatever is added, taken and dropped in between.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BinaryHeap } from '../../src/index.ts';

const stepArbitrary = fc.oneof(
  { weight: 4, arbitrary: fc.record({ push: fc.integer({ min: 0, max: 50 }) }) },
  { weight: 2, arbitrary: fc.constant({ pop: true }) },
  fc.record({ keepBelow: fc.integer({ min: 0, max: 60 }) }),
);

test('the first of a heap is the least of a sorted list', () => {
  fc.assert(
    fc.property(fc.array(stepArbitrary, { maxLength: 200 }), (steps) => {
      const heap = new BinaryHeap<number>((left, right) => left < right);
      let model: number[] = [];
      for (const step of steps) {
        if ('push' in step) {
          heap.push(step.push);
          model.push(step.push);
        } else if ('pop' in step) {
          heap.pop();
          model.shift();
        } else {
          heap.keep((entry) => entry < step.keepBelow);
          model = model.filter((entry) => entry < step.keepBelow);
        }
        model.sort((left, right) => left - right);
        expect([heap.first, heap.size]).toEqual([model[0], model.length]);
      }
    }),
  );
});
