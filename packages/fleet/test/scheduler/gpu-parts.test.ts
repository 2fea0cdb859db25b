// Shows that members of a gang fit on one NVLink island, or on one NUMA node, of a node exactly where trying
// everything finds a place, and are given GPUs of one.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Shape, SnapshotNode } from '../../src/index.ts';
import { obstaclesOf } from '../../src/scheduler/why/obstacle.ts';
import { fitNow, hasRoomNow, membersThatFit, neverFits } from '../../src/scheduler/fit.ts';
import { devicesFor } from '../../src/scheduler/gang/place-gang.ts';
import { partsOf } from '../../src/scheduler/gpu-parts.ts';
import { GPU_LEVELS, type GpuLevel } from '../../src/scheduler/topology/gpu-level.ts';
import { gpuNode, gpuShapeArbitrary, groupsOfGpus, mostTogether, nodeArbitrary } from './gpu-node.ts';

const cases = fc.record({
  node: nodeArbitrary,
  alone: gpuShapeArbitrary
    .filter(({ gpus }) => gpus > 0)
    .map((shape) => ({ ...shape, cpuMilli: Math.max(500, shape.cpuMilli) })),
  level: fc.constantFrom(...GPU_LEVELS),
  cpuMilli: fc.constantFrom(1000, 2500),
});
type Case = typeof cases extends fc.Arbitrary<infer One> ? One : never;

/** With so little CPU that trying everything ends. */
function small({ node, cpuMilli }: Case): SnapshotNode {
  return { ...node, free: { ...node.free, cpuMilli: Math.min(cpuMilli, node.free.cpuMilli) } };
}

function isTogether(node: SnapshotNode, devices: readonly string[], level: GpuLevel): boolean {
  const places = devices.map((id) => node.gpus.findIndex((gpu) => gpu.id === id));
  return groupsOfGpus(node, level).some((group) => places.every((place) => group.includes(place)));
}

function freed(node: SnapshotNode): SnapshotNode {
  return { ...node, free: node.capacity, gpus: node.gpus.map((gpu) => ({ ...gpu, freeMilli: 1000 })) };
}

test('as many members are counted as trying all ways to place them finds, and that many are given GPUs', () => {
  fc.assert(
    fc.property(cases, (one) => {
      const { alone, level } = one;
      const node = small(one);
      const member: Shape = { ...alone, within: level };
      const members = membersThatFit(node, member);
      expect(members).toBe(mostTogether(node, alone, level));
      if (members === 0) return;
      const given = devicesFor(node, member, members);
      expect(given).toHaveLength(members);
      expect(isTogether(node, given.flat(), level)).toBe(true);
      const milli = alone.gpuMilli ?? 1000;
      for (const { id, freeMilli } of node.gpus)
        expect(given.flat().filter((device) => device === id).length * milli).toBeLessThanOrEqual(freeMilli);
    }),
    { numRuns: 600 },
  );
});

test('one member fits exactly where there is room for one, and never where an empty node has none', () => {
  fc.assert(
    fc.property(cases, ({ node: large, alone, level }) => {
      const room = { ...large.capacity, cpuMilli: Math.min(alone.cpuMilli, large.capacity.cpuMilli) };
      const node = { ...large, capacity: room, free: room };
      const member: Shape = { ...alone, within: level };
      const fits = mostTogether(node, alone, level) > 0;
      expect(hasRoomNow(node, member)).toBe(fits);
      const given = fitNow(node, member);
      expect(given !== undefined).toBe(fits);
      if (given) expect(isTogether(node, given, level)).toBe(true);
      expect(neverFits(node, member) === undefined).toBe(mostTogether(freed(node), alone, level) > 0);
    }),
    { numRuns: 600 },
  );
});

test('what hinders one member on a node is told, and is true', () => {
  let apart = 0;
  fc.assert(
    fc.property(cases, ({ node, alone, level }) => {
      const asked = { ...alone, cpuMilli: 1, memoryMib: 0 };
      const obstacles = obstaclesOf(node, { ...asked, within: level });
      const free = { cpuMilli: 1, memoryMib: 0 };
      const one = { ...node, capacity: { ...node.capacity, cpuMilli: 1 }, free };
      expect(obstacles.length === 0).toBe(mostTogether(one, asked, level) > 0);
      for (const { code, has = 0 } of obstacles) {
        if (code !== 'gpus-apart' && code !== 'gpus-apart-in-use') continue;
        apart += 1;
        const then = code === 'gpus-apart' ? freed(one) : one;
        expect(mostTogether({ ...then, free }, asked, level)).toBe(0);
        expect(obstaclesOf(node, asked).map((other) => other.code)).not.toContain('gpu-count');
        expect(has).toBeLessThan(asked.gpus);
      }
    }),
    { numRuns: 1500 },
  );
  expect(apart).toBeGreaterThan(5);
});

const gpu = { model: 'NVIDIA H100', memoryMib: 80_000, freeMilli: 1000, usable: true };
const BRIDGES = [true, false, false, false, false, true];

describe('the parts of a node', () => {
  test('are named, whatever is free on them', () => {
    const parts = { links: BRIDGES, instances: [], cores: 8, memoryGib: 8 };
    const gpus = [0, 0, 1, 1].map((numaNode) => ({ ...gpu, numaNode, freeMilli: numaNode * 1000 }));
    const node = gpuNode('n', { ...parts, gpus });
    expect([...partsOf(node, 'numa')].map(({ name }) => name)).toEqual(['NUMA node 0', 'NUMA node 1']);
    expect([...partsOf(node, 'nvlink-island')].map(({ name }) => name)).toEqual(['GPUs 0, 1', 'GPUs 2, 3']);
  });

  test('promise nothing where nobody knows: such a GPU is on one by itself', () => {
    const { gpuClass: _, ...node } = gpuNode('n', {
      ...{ links: 'all', instances: [], cores: 8, memoryGib: 8 },
      gpus: [gpu, gpu],
    });
    const sizes = (level: GpuLevel): number[] =>
      [...partsOf(node, level)].map((part) => part.node.gpus.filter(({ usable }) => usable).length);
    expect(sizes('numa')).toEqual([1, 1]);
    expect(sizes('nvlink-island')).toEqual([1, 1]);
  });

  test('of many GPUs are found through each other, in a chain', () => {
    const joined = [true, false, false, true, false, true];
    const node = gpuNode('n', {
      ...{ links: joined, instances: [], cores: 8, memoryGib: 8 },
      gpus: [gpu, gpu, gpu, gpu],
    });
    expect([...partsOf(node, 'nvlink-island')].map(({ name }) => name)).toEqual(['GPUs 0, 1, 2, 3']);
  });
});
