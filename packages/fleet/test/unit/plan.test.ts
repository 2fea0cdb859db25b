// Shows that plans never double-book, place all that fits in their order, and explain truthfully what they
// leave.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  planPlacements,
  shapeKey,
  type PendingShape,
  type Shape,
  type SnapshotNode,
} from '../../src/index.ts';
import { explainWait } from '../../src/scheduler/explain.ts';
import { fitNow, neverFits } from '../../src/scheduler/fit.ts';
import { afterPlacement } from '../../src/scheduler/placement.ts';
import { FleetPacking } from '../../src/scheduler/score/fleet-packing.ts';
import { alikeNodes } from '../../src/scheduler/why/alike.ts';

const MODELS = ['NVIDIA H100 80GB HBM3', 'NVIDIA A100-SXM4-40GB', 'RTX 4090'];

const gpuArbitrary = fc.record({
  model: fc.constantFrom(...MODELS),
  memoryMib: fc.constantFrom(24_576, 40_960, 81_559),
  numaNode: fc.constantFrom(0, 1),
  freeMilli: fc.constantFrom(0, 1000),
  usable: fc.oneof({ weight: 5, arbitrary: fc.constant(true) }, fc.boolean()),
});

const nodeArbitrary = fc.record({
  schedulable: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, fc.boolean()),
  rack: fc.constantFrom('a', 'b'),
  cores: fc.integer({ min: 1, max: 8 }),
  usedCores: fc.integer({ min: 0, max: 8 }),
  gpus: fc.array(gpuArbitrary, { maxLength: 8 }),
  container: fc.boolean(),
  sandboxed: fc.boolean(),
});

const nodesArbitrary = fc.array(nodeArbitrary, { maxLength: 5 }).map((nodes) =>
  nodes.map(({ rack, cores, usedCores, gpus, container, ...node }, index): SnapshotNode => {
    const capacity = { cpuMilli: cores * 1000, memoryMib: cores * 1024 };
    const used = Math.min(usedCores, cores);
    return {
      ...node,
      id: `node-${index}`,
      name: `n${index}`,
      labels: { rack },
      capacity,
      free: { cpuMilli: capacity.cpuMilli - used * 1000, memoryMib: capacity.memoryMib - used * 1024 },
      gpus: gpus.map((gpu, at) => ({ ...gpu, id: `gpu-${index}-${at}` })),
      executors: new Set(container ? ['process', 'container'] : ['process']),
    };
  }),
);

const shapeArbitrary: fc.Arbitrary<Shape> = fc.record({
  gpus: fc.integer({ min: 0, max: 8 }),
  gpuModels: fc.constantFrom<readonly string[]>([], ['h100'], ['a100', 'h100']),
  minGpuMemoryMib: fc.constantFrom(0, 40_000),
  cpuMilli: fc.integer({ min: 100, max: 9000 }),
  memoryMib: fc.integer({ min: 64, max: 9000 }),
  executor: fc.constantFrom('process', 'container'),
  sandboxRequired: fc.boolean(),
  nodeSelector: fc.constantFrom<Record<string, string>>({}, { rack: 'a' }),
});

const pendingArbitrary = fc
  .array(fc.tuple(shapeArbitrary, fc.integer({ min: 1, max: 6 })), { maxLength: 5 })
  .map((shapes) =>
    shapes.map(([shape, count], at): PendingShape => ({
      key: `${at}:${shapeKey(shape)}`,
      shape,
      workloadIds: Array.from({ length: count }, (_, index) => `wl-${at}-${index}`),
    })),
  );

/** Replays a plan, checking each step against the nodes as they then are. */
function replay(
  nodes: readonly SnapshotNode[],
  placements: ReturnType<typeof planPlacements>['placements'],
): SnapshotNode[] {
  const now = new Map(nodes.map((node) => [node.id, node]));
  for (const { nodeId, shape, devices } of placements) {
    const node = now.get(nodeId);
    if (!node) throw new Error(`placed on ${nodeId}, which is not there`);
    expect(node.schedulable && neverFits(node, shape) === undefined).toBe(true);
    expect(fitNow(node, shape)).toBeDefined();
    expect(new Set(devices).size).toBe(shape.gpus);
    for (const id of devices)
      expect(node.gpus.find((gpu) => gpu.id === id)).toMatchObject({ freeMilli: 1000, usable: true });
    now.set(nodeId, afterPlacement(node, shape, devices));
  }
  for (const node of now.values()) {
    expect(node.free.cpuMilli).toBeGreaterThanOrEqual(0);
    expect(node.free.memoryMib).toBeGreaterThanOrEqual(0);
  }
  return [...now.values()];
}

describe('planPlacements', () => {
  test('never double-books, and leaves nothing that would still fit', () => {
    fc.assert(
      fc.property(nodesArbitrary, pendingArbitrary, (nodes, pending) => {
        const plan = planPlacements({ nodes }, pending, 1000, new FleetPacking());
        const after = replay(nodes, plan.placements);
        const placed = new Set(plan.placements.map(({ workloadId }) => workloadId));
        expect(placed.size).toBe(plan.placements.length);
        for (const { key, shape, workloadIds } of pending) {
          const left = workloadIds.filter((id) => !placed.has(id));
          const room = after.some(
            (node) => node.schedulable && !neverFits(node, shape) && fitNow(node, shape),
          );
          if (left.length > 0) expect(room).toBe(false);
          expect(plan.blocked.includes(key)).toBe(left.length > 0);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('says "never fits" exactly when even empty nodes could not take it', () => {
    fc.assert(
      fc.property(nodesArbitrary, shapeArbitrary, (nodes, shape) => {
        const plan = planPlacements(
          { nodes },
          [{ key: 'k', shape, workloadIds: ['w'] }],
          10,
          new FleetPacking(),
        );
        const fleet = { alike: alikeNodes(nodes), unapproved: [] };
        const waiting = plan.blocked.length > 0 ? explainWait(fleet, shape) : undefined;
        const empty = nodes.map((node) => ({
          ...node,
          free: node.capacity,
          gpus: node.gpus.map((gpu) => ({ ...gpu, freeMilli: 1000 })),
        }));
        const possible = empty.some((node) => !neverFits(node, shape) && fitNow(node, shape) !== undefined);
        if (nodes.length > 0 && waiting) expect(waiting.reason === 'never-fits').toBe(!possible);
        if (waiting) expect(waiting.message).not.toMatch(/undefined|NaN/);
      }),
      { numRuns: 500 },
    );
  });

  test('keeps to its limit and to the order of the queue', () => {
    fc.assert(
      fc.property(
        nodesArbitrary,
        pendingArbitrary,
        fc.integer({ min: 0, max: 5 }),
        (nodes, pending, limit) => {
          const few = planPlacements({ nodes }, pending, limit, new FleetPacking()).placements;
          const all = planPlacements({ nodes }, pending, 1000, new FleetPacking()).placements;
          expect(few).toEqual(all.slice(0, limit));
        },
      ),
    );
  });
});
