// Shows that what is imagined of small random fleets could be carried out step by step, that nothing is left
// waiting which would fit, that drained nodes get nothing, and that the facts stay as they were.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Placement, Shape, SnapshotNode } from '../../../src/index.ts';
import { fitNow, neverFits } from '../../../src/scheduler/fit.ts';
import { afterPlacement } from '../../../src/scheduler/placement.ts';
import { FleetPacking } from '../../../src/scheduler/score/fleet-packing.ts';
import { withoutHolders } from '../../../src/scheduler/why/holder.ts';
import { whatIf, type FleetFacts } from '../../../src/scheduler/why/what-if.ts';
import {
  aheadArbitrary,
  easyShapeArbitrary,
  fleetArbitrary,
  holdersIn,
  NOW_MS,
  shapeArbitrary,
} from './random-fleet.ts';

const canTake = (node: SnapshotNode, shape: Shape): boolean =>
  node.schedulable && neverFits(node, shape) === undefined && fitNow(node, shape) !== undefined;

/** Carries out placements one by one, each on what those before have left. */
function carryOut(nodes: readonly SnapshotNode[], placements: readonly Placement[]): readonly SnapshotNode[] {
  const now = new Map(nodes.map((node) => [node.id, node]));
  for (const { nodeId, shape, devices } of placements) {
    const node = now.get(nodeId);
    if (!node) throw new Error(`${nodeId} is not there`);
    expect(canTake(node, shape)).toBe(true);
    expect(devices).toHaveLength(shape.gpus);
    for (const id of devices)
      expect(node.gpus.find((gpu) => gpu.id === id)?.freeMilli).toBeGreaterThanOrEqual(
        shape.gpuMilli ?? 1000,
      );
    now.set(nodeId, afterPlacement(node, shape, devices));
  }
  return [...now.values()];
}

test('every outcome can be carried out, and leaves nothing waiting that fits', () => {
  let [moves, stranded, unblocked, starts] = [0, 0, 0, 0];
  const suppositions = fc.record({
    count: fc.integer({ min: 1, max: 4 }),
    drained: fc.subarray(['node-0', 'node-1'], { maxLength: 1 }),
    ended: fc.subarray(['wl-0-0', 'wl-1-0', 'wl-2-0', 'wl-2-1']),
    stays: fc.subarray(['wl-0-1', 'wl-1-1']),
  });
  fc.assert(
    fc.property(
      fleetArbitrary,
      fc.oneof(shapeArbitrary, easyShapeArbitrary),
      easyShapeArbitrary,
      aheadArbitrary,
      suppositions,
      ({ nodes, holders }, shape, movedShape, waiting, { count, stays, ...supposed }) => {
        const [drained, ended] = [new Set(supposed.drained), new Set(supposed.ended)];
        const facts: FleetFacts = {
          ...{ nodes, waiting, unapproved: [], nowMs: NOW_MS, packing: new FleetPacking() },
          untried: new Set(waiting.map(({ key }) => key)),
          holdersOf: holdersIn(holders),
          limitOf: () => undefined,
          movedAs: (id) => (stays.includes(id) ? 'It would end.' : movedShape),
        };
        const before = JSON.stringify([nodes, holders, waiting]);
        const outcome = whatIf(facts, { asked: { shape, count }, drained, ended });
        expect(JSON.stringify([nodes, holders, waiting])).toBe(before);

        const imagined = nodes.map((node) => ({
          ...withoutHolders(
            node,
            holders.filter(({ nodeId, workloadId }) => nodeId === node.id && ended.has(workloadId)),
          ),
          schedulable: node.schedulable && !drained.has(node.id),
        }));
        const order = [...outcome.moves, ...outcome.unblocked, ...outcome.starts];
        const then = carryOut(imagined, order);
        expect(outcome.starts.length + outcome.waits).toBe(count);
        if (outcome.waits > 0) expect(then.some((node) => canTake(node, shape))).toBe(false);
        expect(outcome.waiting !== undefined).toBe(outcome.waits > 0);

        const leaving = holders.filter(
          ({ nodeId, workloadId }) => drained.has(nodeId) && !ended.has(workloadId),
        );
        const told = [...outcome.moves, ...outcome.stranded].map(({ workloadId }) => workloadId);
        expect(told.toSorted()).toEqual(leaving.map(({ workloadId }) => workloadId).toSorted());
        for (const { workloadId } of outcome.stranded)
          if (!stays.includes(workloadId)) expect(then.some((node) => canTake(node, movedShape))).toBe(false);
        const started = new Set(outcome.unblocked.map(({ workloadId }) => workloadId));
        for (const group of waiting)
          if (group.workloadIds.some((id) => !started.has(id)))
            expect(then.some((node) => canTake(node, group.shape))).toBe(false);
        moves += outcome.moves.length;
        stranded += outcome.stranded.length;
        unblocked += outcome.unblocked.length;
        starts += outcome.starts.length;
      },
    ),
    { numRuns: 1000 },
  );
  for (const seen of [moves, stranded, unblocked, starts]) expect(seen).toBeGreaterThan(50);
});
