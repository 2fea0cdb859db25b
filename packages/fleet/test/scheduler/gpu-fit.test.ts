// Shows that whole GPUs, shares, MIG instances and GPUs joined by NVLink fit exactly where trying everything
// finds a place, that no GPU is given beyond what it has, and how many of a shape fit on a node.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { planPlacements, shapeKey, type Shape, type SnapshotNode } from '../../src/index.ts';
import { fitNow, hasRoomNow, membersThatFit, neverFits } from '../../src/scheduler/fit.ts';
import { afterPlacement } from '../../src/scheduler/placement.ts';
import { FleetPacking } from '../../src/scheduler/score/fleet-packing.ts';
import { choices, gpuNode, gpuShapeArbitrary, mostMembers, nodeArbitrary } from './gpu-node.ts';

/** How many are placed one after the other, each where the planner would. */
function oneByOne(node: SnapshotNode, shape: Shape): number {
  let [now, members] = [node, 0];
  for (let given = fitNow(now, shape); given; given = fitNow(now, shape)) {
    now = afterPlacement(now, shape, given);
    members += 1;
  }
  return members;
}

const empty = (node: SnapshotNode): SnapshotNode => ({
  ...node,
  free: node.capacity,
  gpus: node.gpus.map((gpu) => ({ ...gpu, freeMilli: 1000 })),
});

describe('a node with GPUs', () => {
  test('has room exactly where trying all sets of GPUs finds one, and gives one of them', () => {
    fc.assert(
      fc.property(nodeArbitrary, gpuShapeArbitrary, (node, shape) => {
        const fits = node.free.cpuMilli >= shape.cpuMilli && node.free.memoryMib >= shape.memoryMib;
        const all = fits ? choices(node, shape) : [];
        expect(hasRoomNow(node, shape)).toBe(all.length > 0);
        const given = fitNow(node, shape);
        expect(given === undefined).toBe(all.length === 0);
        if (!given) return;
        const places = given.map((id) => node.gpus.findIndex((gpu) => gpu.id === id));
        expect(all).toContainEqual(places.toSorted((left, right) => left - right));
      }),
      { numRuns: 2000 },
    );
  });

  test('never fits exactly what it could not take even if it were empty', () => {
    fc.assert(
      fc.property(nodeArbitrary, gpuShapeArbitrary, (node, shape) => {
        expect(neverFits(node, shape) === undefined).toBe(hasRoomNow(empty(node), shape));
      }),
      { numRuns: 1000 },
    );
  });

  test('takes as many of a shape as trying all ways to place them does', () => {
    const few = gpuShapeArbitrary.map((shape) => ({ ...shape, cpuMilli: Math.max(500, shape.cpuMilli) }));
    fc.assert(
      fc.property(nodeArbitrary, few, (node, shape) => {
        const small = { ...node, free: { ...node.free, cpuMilli: Math.min(2500, node.free.cpuMilli) } };
        const members = membersThatFit(small, shape);
        expect(members).toBe(mostMembers(small, shape));
        expect(oneByOne(small, shape)).toBe(members);
      }),
      { numRuns: 400 },
    );
  });
});

describe('a plan', () => {
  const fleets = fc.array(nodeArbitrary, { minLength: 1, maxLength: 4 }).map((nodes) =>
    nodes.map((node, at): SnapshotNode => ({
      ...node,
      id: `n${at}`,
      name: `n${at}`,
      gpus: node.gpus.map((gpu) => ({ ...gpu, id: `n${at} ${gpu.id}` })),
    })),
  );
  const pending = fc.array(fc.tuple(gpuShapeArbitrary, fc.integer({ min: 1, max: 6 })), { maxLength: 6 });

  test('gives no GPU beyond what it has, and leaves nothing that would still fit', () => {
    fc.assert(
      fc.property(fleets, pending, (nodes, kinds) => {
        const packing = new FleetPacking();
        for (const [shape] of kinds) packing.arrived(shape);
        packing.refresh(nodes);
        const waiting = kinds.map(([shape, count], at) => ({
          key: `${at} ${shapeKey(shape)}`,
          shape,
          workloadIds: Array.from({ length: count }, (_, index) => `${at} ${index}`),
        }));
        const plan = planPlacements({ nodes }, waiting, 1000, packing);
        const now = new Map(nodes.map((node) => [node.id, node]));
        const given = new Map<string, number>();
        for (const { nodeId, shape, devices } of plan.placements) {
          const node = now.get(nodeId)!;
          const places = devices.map((id) => node.gpus.findIndex((gpu) => gpu.id === id));
          expect(choices(node, shape)).toContainEqual(places.toSorted((left, right) => left - right));
          for (const id of devices) given.set(id, (given.get(id) ?? 0) + (shape.gpuMilli ?? 1000));
          now.set(nodeId, afterPlacement(node, shape, devices));
        }
        for (const node of nodes)
          for (const gpu of node.gpus) expect(given.get(gpu.id) ?? 0).toBeLessThanOrEqual(gpu.freeMilli);
        const placed = new Set(plan.placements.map(({ workloadId }) => workloadId));
        for (const { shape, workloadIds } of waiting) {
          if (workloadIds.every((id) => placed.has(id))) continue;
          for (const node of now.values()) expect(hasRoomNow(node, shape)).toBe(false);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('the GPUs that are given', () => {
  const gpu = { model: 'NVIDIA A100', memoryMib: 40_000, freeMilli: 1000, usable: true };
  const parts = { instances: [], cores: 8, memoryGib: 8 };
  const ask = (change: Partial<Shape>): Shape => ({
    ...{ gpus: 1, gpuModels: [], minGpuMemoryMib: 0, cpuMilli: 100, memoryMib: 64, nodeSelector: {} },
    ...{ executor: 'process', sandboxRequired: false },
    ...change,
  });

  test('are joined by NVLink where some are, and of one NUMA node where links are alike', () => {
    // Places 1 and 3 are bridged: pairs are counted 01 02 03 12 13 23.
    const gpus = [0, 0, 1, 1].map((numaNode) => ({ ...gpu, numaNode }));
    const bridged = gpuNode('n', { ...parts, gpus, links: [false, false, false, false, true, false] });
    expect(fitNow(bridged, ask({ gpus: 2 }))).toEqual(['n-gpu-1', 'n-gpu-3']);
    expect(fitNow(bridged, ask({ gpus: 1 }))).toEqual(['n-gpu-0']);
    const plain = gpuNode('n', { ...parts, gpus, links: 'none' });
    const oneHeld = {
      ...plain,
      gpus: plain.gpus.map((one, at) => (at === 0 ? { ...one, freeMilli: 0 } : one)),
    };
    expect(fitNow(oneHeld, ask({ gpus: 2 }))).toEqual(['n-gpu-2', 'n-gpu-3']);
    expect(fitNow(oneHeld, ask({ gpus: 1 }))).toEqual(['n-gpu-1']);
  });

  test('are on the node with NVLink where it is preferred, and elsewhere if need be', () => {
    const gpus = [gpu, gpu].map((one) => ({ ...one, numaNode: 0 }));
    const nodes = [
      gpuNode('plain', { ...parts, gpus, links: 'none' }),
      gpuNode('joined', { ...parts, gpus, links: 'all' }),
    ];
    const shape = ask({ gpus: 2, nvlink: 'preferred' });
    const waiting = [{ key: 'k', shape, workloadIds: ['a', 'b'] }];
    const { placements } = planPlacements({ nodes }, waiting, 10, new FleetPacking());
    expect(placements.map(({ nodeId }) => nodeId)).toEqual(['joined', 'plain']);
    const strict = [{ key: 'k', shape: ask({ gpus: 2, nvlink: 'required' }), workloadIds: ['a', 'b'] }];
    expect(planPlacements({ nodes }, strict, 10, new FleetPacking()).placements).toHaveLength(1);
  });

  test('leave room for others that must be joined, too', () => {
    // 01, 03 and 12 are joined: who takes 01 first parts the others.
    const gpus = Array.from({ length: 4 }, () => ({ ...gpu, numaNode: 0 }));
    const node = gpuNode('n', { ...parts, gpus, links: [true, false, true, true, false, false] });
    const shape = ask({ gpus: 2, nvlink: 'required' });
    expect(membersThatFit(node, shape)).toBe(2);
    expect(oneByOne(node, shape)).toBe(2);
  });

  test('are found on the node where those that are free are joined', () => {
    const bridged = (id: string, held: readonly number[]): SnapshotNode => {
      const gpus = Array.from({ length: 4 }, (_, place) => {
        return { ...gpu, numaNode: 0, freeMilli: held.includes(place) ? 0 : 1000 };
      });
      return gpuNode(id, { ...parts, gpus, links: [true, false, false, false, false, true] });
    };
    const nodes = [bridged('parted', [1, 3]), bridged('joined', [2, 3])];
    const waiting = [{ key: 'k', shape: ask({ gpus: 2, nvlink: 'required' }), workloadIds: ['a', 'b'] }];
    const { placements, blocked } = planPlacements({ nodes }, waiting, 10, new FleetPacking());
    expect(placements.map(({ nodeId }) => nodeId)).toEqual(['joined']);
    expect(blocked).toEqual(['k']);
  });

  test('of shares that fill one are that one, so that the other stays whole', () => {
    const gpus = [gpu, gpu].map((one) => ({ ...one, numaNode: 0 }));
    const nodes = [gpuNode('n', { ...parts, gpus, links: 'none' })];
    const packing = new FleetPacking();
    const [share, whole] = [ask({ gpuMilli: 500 }), ask({})];
    for (let arrival = 0; arrival < 10; arrival += 1)
      for (const shape of [share, whole]) packing.arrived(shape);
    packing.refresh(nodes);
    const waiting = [
      { key: 'share', shape: share, workloadIds: ['a', 'b'] },
      { key: 'whole', shape: whole, workloadIds: ['c', 'd'] },
    ];
    const { placements, blocked } = planPlacements({ nodes }, waiting, 10, packing);
    const [first, second, third] = placements.map(({ devices }) => devices.join());
    expect(second).toBe(first);
    expect(third).not.toBe(first);
    expect(placements).toHaveLength(3);
    expect(blocked).toEqual(['whole']);
  });
});
