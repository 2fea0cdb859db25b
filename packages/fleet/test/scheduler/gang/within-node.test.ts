// Shows that a gang that asks for one NVLink island or one NUMA node is placed exactly where trying
// everything finds a place, on the nearest level that holds it, and that what is told of one that waits is
// true.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { shapeKey, type Placement, type Shape, type SnapshotNode } from '../../../src/index.ts';
import { planPlacements } from '../../../src/scheduler/plan.ts';
import { explainWaiting } from '../../../src/scheduler/why/explain-waiting.ts';
import { FleetPacking } from '../../../src/scheduler/score/fleet-packing.ts';
import {
  GPU_LEVELS,
  levelText,
  type GpuLevel,
  type PlaceLevel,
} from '../../../src/scheduler/topology/gpu-level.ts';
import {
  gpuNode,
  gpuShapeArbitrary,
  groupsOfGpus,
  mostMembers,
  mostTogether,
  nodeArbitrary,
} from '../gpu-node.ts';

type Rule = 'required' | 'preferred';

const members = fc
  .tuple(fc.integer({ min: 1, max: 4 }), fc.nat(2))
  .map(([min, more]) => ({ min, max: min + more }));

const cases = fc.record({
  nodes: fc.array(nodeArbitrary, { minLength: 1, maxLength: 3 }).map((nodes) => nodes.map(renamed)),
  alone: gpuShapeArbitrary
    .filter(({ gpus, migProfile }) => gpus > 0 && migProfile === undefined)
    .map((shape) => ({ ...shape, cpuMilli: Math.max(500, shape.cpuMilli) })),
  members,
  level: fc.constantFrom(...GPU_LEVELS),
  rule: fc.constantFrom<Rule>('required', 'preferred'),
});
type Case = typeof cases extends fc.Arbitrary<infer One> ? One : never;

/** With so little CPU that trying everything ends. */
function renamed(node: SnapshotNode, at: number): SnapshotNode {
  const room = { ...node.free, cpuMilli: Math.min(2500, node.free.cpuMilli) };
  const gpus = node.gpus.map((gpu) => ({ ...gpu, id: `n${at} ${gpu.id}` }));
  const named = { ...node, id: `n${at}`, name: `n${at}`, labels: { node: `n${at}` } };
  const empty = {
    ...named,
    free: room,
    capacity: room,
    gpus: gpus.map((gpu) => ({ ...gpu, freeMilli: 1000 })),
  };
  return { ...empty, gpus, empty };
}

function gangOf({ alone, members: count, level, rule }: Omit<Case, 'nodes'>): Shape {
  const topology = { level: 'node' as const, rule };
  return { ...alone, gang: { members: count, topology, within: { level, rule } } };
}

function place(nodes: readonly SnapshotNode[], shape: Shape): readonly Placement[] {
  const asked = { key: shapeKey(shape), shape, workloadIds: ['gang'] };
  return planPlacements({ nodes }, [asked], 100, new FleetPacking()).placements;
}

function mostOf(nodes: readonly SnapshotNode[], count: (node: SnapshotNode) => number): number {
  return Math.max(0, ...nodes.map(count));
}

/** By trying everything: where the gang goes, and how many of it; undefined if it has no place. */
function expected({
  nodes,
  alone,
  members: { min, max },
  level,
  rule,
}: Case): { readonly level: PlaceLevel; readonly members: number } | undefined {
  const onParts = (one: GpuLevel): number => mostOf(nodes, (node) => mostTogether(node, alone, one));
  const upwards: readonly GpuLevel[] =
    level === 'numa' && rule === 'preferred' ? ['numa', 'nvlink-island'] : [level];
  for (const one of upwards)
    if (onParts(one) >= min) return { level: one, members: Math.min(max, onParts(one)) };
  if (rule === 'required') return undefined;
  const onNode = mostOf(nodes, (node) => mostMembers(node, alone));
  if (onNode >= min) return { level: 'node', members: Math.min(max, onNode) };
  const inFleet = nodes.reduce((sum, node) => sum + mostMembers(node, alone), 0);
  return inFleet >= min ? { level: 'fleet', members: Math.min(max, inFleet) } : undefined;
}

function groupsWith(node: SnapshotNode, devices: readonly string[], level: GpuLevel): number {
  const given = new Set(devices.map((id) => node.gpus.findIndex((gpu) => gpu.id === id)));
  return groupsOfGpus(node, level).filter((group) => group.some((at) => given.has(at))).length;
}

function expectSound({ nodes, alone }: Case, placements: readonly Placement[]): void {
  expect(placements.map(({ member }) => member!.rank)).toEqual([...placements.keys()]);
  const milli = alone.gpuMilli ?? 1000;
  for (const node of nodes) {
    const given = placements.filter(({ nodeId }) => nodeId === node.id).flatMap(({ devices }) => devices);
    for (const { id, freeMilli, usable } of node.gpus) {
      const held = given.filter((device) => device === id).length * milli;
      expect(held).toBeLessThanOrEqual(usable ? freeMilli : 0);
    }
  }
}

test('trying everything agrees on what fits, how many of it, and on which level', () => {
  let placed = 0;
  let refused = 0;
  fc.assert(
    fc.property(cases, (one) => {
      const placements = place(one.nodes, gangOf(one));
      const best = expected(one);
      expect(placements).toHaveLength(best?.members ?? 0);
      if (!best) return void (refused += 1);
      placed += 1;
      expectSound(one, placements);
      const level = placements[0]!.member!.level;
      expect(level).toBe(best.level);
      if (level !== 'numa' && level !== 'nvlink-island') return;
      expect(new Set(placements.map(({ nodeId }) => nodeId)).size).toBe(1);
      const node = one.nodes.find(({ id }) => id === placements[0]!.nodeId)!;
      expect(
        groupsWith(
          node,
          placements.flatMap(({ devices }) => devices),
          level,
        ),
      ).toBe(1);
    }),
    { numRuns: 800 },
  );
  expect(placed).toBeGreaterThan(50);
  expect(refused).toBeGreaterThan(50);
});

test('gangs one after the other get no GPU twice, and nobody waits for whom there is a place', () => {
  const many = fc.array(
    cases.map(({ nodes: _, ...gang }) => gang),
    { minLength: 2, maxLength: 4 },
  );
  fc.assert(
    fc.property(cases, many, ({ nodes }, gangs) => {
      const asked = gangs.map((gang, at) => ({
        ...{ key: `${at}`, shape: gangOf(gang), workloadIds: [`${at}`] },
      }));
      const { placements } = planPlacements({ nodes }, asked, 100, new FleetPacking());
      const left = new Map(nodes.map((node) => [node.id, node]));
      for (const { before, after, nodeId } of placements) {
        expect(left.get(nodeId) === before).toBe(true);
        for (const { freeMilli } of after.gpus) expect(freeMilli).toBeGreaterThanOrEqual(0);
        left.set(nodeId, after);
      }
      for (const [at, gang] of gangs.entries()) {
        const isPlaced = placements.some(({ workloadId }) => workloadId === `${at}`);
        if (!isPlaced) expect(expected({ ...gang, nodes: [...left.values()] })).toBeUndefined();
      }
    }),
    { numRuns: 150 },
  );
});

test('what is told of one that waits is true: whether it ever fits, and the largest room there is', () => {
  let told = 0;
  fc.assert(
    fc.property(cases, (one) => {
      const { nodes, alone, level } = one;
      const required = { ...one, rule: 'required' as const };
      if (expected(required)) return;
      const shape = gangOf(required);
      const facts = { nodes, shape, ahead: [], unapproved: [], nowMs: 0, limitOf: () => undefined };
      const likenessOf = new FleetPacking().groupKey;
      const { reason, message, remedies } = explainWaiting({ ...facts, likenessOf, holdersOf: () => [] });
      const ever = mostOf(nodes, ({ empty }) => mostTogether(empty!, alone, level));
      const now = mostOf(nodes, (node) => mostTogether(node, alone, level));
      const { min } = one.members;
      expect(reason === 'never-fits').toBe(ever < min);
      for (const { steps, certain } of remedies) {
        const [step] = steps;
        const asked =
          step!.step === 'ask-members'
            ? { ...required, members: { min: step!.members!, max: step!.members! } }
            : { ...required, rule: 'preferred' as const };
        expect(certain).toBe(true);
        expect(expected(asked)).toBeDefined();
      }
      const figures = /takes (\d+)( when empty| now), (\d+) too few/.exec(message);
      if (!figures) return;
      told += 1;
      expect(message).toContain(`on one ${levelText(level)}`);
      const most = figures[2] === ' now' ? now : ever;
      expect(Number(figures[1])).toBe(most);
      expect(Number(figures[3])).toBe(min - most);
    }),
    { numRuns: 500 },
  );
  expect(told).toBeGreaterThan(10);
});

describe('of several that would do', () => {
  const gpu = { model: 'NVIDIA H100', memoryMib: 80_000, usable: true };
  /** Free GPUs by NUMA node. */
  function node(id: string, free: readonly [number, number]): SnapshotNode {
    const gpus = [0, 1, 2, 3, 4, 5].map((at) => {
      const numaNode = at < 3 ? 0 : 1;
      return { ...gpu, numaNode, freeMilli: at % 3 < free[numaNode] ? 1000 : 0 };
    });
    return gpuNode(id, { gpus, links: 'none', instances: [], cores: 8, memoryGib: 8 });
  }
  const alone = {
    ...{ gpus: 1, gpuModels: [], minGpuMemoryMib: 0, cpuMilli: 10, memoryMib: 1 },
    ...{ executor: 'process' as const, sandboxRequired: false, nodeSelector: {} },
  };
  const gang = { alone, members: { min: 2, max: 2 }, level: 'numa', rule: 'required' } as const;

  test('the tightest part is taken, though the node has a roomier one', () => {
    const placements = place([node('a', [3, 0]), node('b', [2, 3])], gangOf(gang));
    expect(placements.map(({ devices }) => devices)).toEqual([['b-gpu-0'], ['b-gpu-1']]);
    expect(placements[0]!.trace).toMatchObject({ level: 'numa', place: 'b/NUMA node 0' });
  });

  test('one that spreads in vain stands on one part all the same', () => {
    const spread = { by: 'node', maxSkew: 1, rule: 'required' as const };
    const shape = gangOf(gang);
    const placements = place([node('a', [1, 1]), node('b', [1, 2])], {
      ...shape,
      gang: { ...shape.gang!, spread },
    });
    expect(placements.map(({ devices }) => devices)).toEqual([['b-gpu-3'], ['b-gpu-4']]);
  });

  test('instances are of the NUMA node of their GPU, and of no island', () => {
    const host = node('a', [0, 0]);
    const instances = [0, 1, 1].map((numaNode, at) => ({
      ...{ id: `mig-${at}`, model: gpu.model, memoryMib: 9_984, usable: true, numaNode, freeMilli: 1000 },
      migProfile: '1g.10gb',
    }));
    const cut = { ...host, gpus: [...host.gpus, ...instances] };
    const shape = gangOf({ ...gang, alone: { ...alone, migProfile: '1g.10gb' }, rule: 'preferred' });
    expect(place([cut], shape).map(({ devices }) => devices)).toEqual([['mig-1'], ['mig-2']]);
    const three = { ...shape, gang: { ...shape.gang!, members: { min: 3, max: 3 } } };
    expect(place([cut], three)[0]!.member).toMatchObject({ level: 'node' });
  });
});
