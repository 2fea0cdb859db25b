// Shows that what is kept from being tried again, because by numbers it asks for too much, would not have
// fitted.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { shapeKey, type Shape } from '../../src/index.ts';
import { fitNow } from '../../src/scheduler/fit.ts';
import { RoomBound } from '../../src/scheduler/room-bound.ts';
import { ShapeIndex } from '../../src/workload/shape-index.ts';
import { gpuShapeArbitrary, nodeArbitrary } from './gpu-node.ts';

test('what fits on one of some nodes is within their bound, and within that of the node', () => {
  let fitted = 0;
  fc.assert(
    fc.property(fc.array(nodeArbitrary, { maxLength: 4 }), gpuShapeArbitrary, (nodes, shape) => {
      for (const node of nodes.filter((one) => fitNow(one, shape) !== undefined)) {
        fitted += 1;
        expect(RoomBound.of(node).mayTake(shape)).toBe(true);
        expect(new RoomBound(nodes).mayTake(shape)).toBe(true);
      }
    }),
    { numRuns: 1000 },
  );
  expect(fitted).toBeGreaterThan(100);
});

test('a bound is as tight as each amount alone allows', () => {
  fc.assert(
    fc.property(nodeArbitrary, gpuShapeArbitrary, (node, shape) => {
      const room = RoomBound.of(node);
      expect(room.mayTake({ ...shape, cpuMilli: node.free.cpuMilli + 1 })).toBe(false);
      expect(room.mayTake({ ...shape, memoryMib: node.free.memoryMib + 1 })).toBe(false);
      if (shape.gpuMilli === undefined)
        expect(room.mayTake({ ...shape, gpus: node.gpus.length + 1 })).toBe(false);
      expect(RoomBound.of({ ...node, schedulable: false }).mayTake(shape)).toBe(false);
    }),
    { numRuns: 300 },
  );
});

test('an index answers all that may fit, bound to a node or not, and nothing that has left it', () => {
  const shapes = fc.uniqueArray(gpuShapeArbitrary, { maxLength: 20, selector: shapeKey });
  fc.assert(
    fc.property(nodeArbitrary, shapes, fc.array(fc.boolean()), (node, all, leaves) => {
      const index = new ShapeIndex<Shape>();
      const asked = all.map((shape, at): Shape => (at % 3 === 0 ? { ...shape, nodeId: 'n' } : shape));
      for (const shape of asked) index.add(shapeKey(shape), shape, shape);
      const left = asked.filter((_, at) => leaves[at] !== true);
      for (const shape of asked) if (!left.includes(shape)) index.delete(shapeKey(shape), shape);
      const room = RoomBound.of(node);
      expect(new Set(index.within(room, ['n']))).toEqual(
        new Set(left.filter((shape) => room.mayTake(shape))),
      );
      const elsewhere = left.filter((shape) => shape.nodeId === undefined && room.mayTake(shape));
      expect(new Set(index.within(room, ['other']))).toEqual(new Set(elsewhere));
    }),
    { numRuns: 300 },
  );
});
