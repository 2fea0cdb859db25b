// Shows that a plan over groups of nodes that are alike chooses as one that looks at every node would, and
// that groups kept up to date are those made anew.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planPlacements, shapeKey, type Placement, type Shape, type SnapshotNode } from '../../src/index.ts';
import { fitNow, leftover, neverFits, reluctance } from '../../src/scheduler/fit.ts';
import { NodeGroups } from '../../src/scheduler/node-groups.ts';
import { afterPlacement } from '../../src/scheduler/placement.ts';
import { FleetPacking } from '../../src/scheduler/score/fleet-packing.ts';
import { NodeClasses } from '../../src/scheduler/topology/node-class.ts';
import { gpuMatrix } from './gpu-node.ts';

const classes = new NodeClasses();

/** Of few kinds each, so that nodes come out alike; GPUs of one node may differ. */
const kindsOfNode = fc.array(
  fc.record({
    schedulable: fc.oneof({ weight: 6, arbitrary: fc.constant(true) }, fc.boolean()),
    rack: fc.constantFrom('a', 'b'),
    models: fc.constantFrom(['H100', 'H100', 'H100', 'H100'], ['H100', 'A100', 'A100', 'H100'], ['A100'], []),
    unusable: fc.constantFrom(-1, -1, -1, 0, 1),
    /** Which GPUs NVLink joins: all, none, or the first with the second and the third with the fourth. */
    links: fc.constantFrom('all' as const, 'none' as const, [true, false, false, false, false, true]),
    cores: fc.constantFrom(4, 8),
    isTainted: fc.constantFrom(false, false, true),
  }),
  { minLength: 1, maxLength: 3 },
);
const nodesOfKinds = fc.array(
  fc.tuple(fc.nat(2), fc.array(fc.constantFrom(1000, 1000, 0, 300, 700), { maxLength: 4 })),
  {
    minLength: 1,
    maxLength: 30,
  },
);

const fleets = fc.tuple(kindsOfNode, nodesOfKinds).map(([kinds, nodes]) =>
  nodes.map(([at, free], index): SnapshotNode => {
    const { rack, models, unusable, links, cores, isTainted, schedulable } = kinds[at % kinds.length]!;
    const capacity = { cpuMilli: cores * 1000, memoryMib: 8192 };
    return {
      id: `node-${index}`,
      name: `n${index}`,
      schedulable,
      labels: { rack, node: `n${index}` },
      ...(isTainted ? { taints: [{ key: 'old', value: '', effect: 'prefer-no-schedule' as const }] } : {}),
      capacity,
      free: capacity,
      gpus: models.map((model, place) => ({
        id: `gpu-${index}-${place}`,
        model,
        memoryMib: 81_559,
        numaNode: place % 2,
        freeMilli: free[place] ?? 1000,
        usable: place !== unusable,
      })),
      gpuClass: classes.of({
        models,
        numaNodes: models.map((_, place) => place % 2),
        links: gpuMatrix(models.length, links),
      }),
      executors: new Set(['process']),
      sandboxed: false,
    };
  }),
);

const wholeShapes: fc.Arbitrary<Shape> = fc.record({
  gpus: fc.integer({ min: 0, max: 3 }),
  gpuModels: fc.constantFrom([], [], ['h100'], ['a100']),
  minGpuMemoryMib: fc.constant(0),
  cpuMilli: fc.constantFrom(500, 1000, 3000),
  memoryMib: fc.constantFrom(0, 1000),
  executor: fc.constant('process'),
  sandboxRequired: fc.constant(false),
  nodeSelector: fc.constantFrom<Record<string, string>>({}, {}, { rack: 'a' }, { node: 'n1' }),
});

const shapes = fc.oneof(
  { weight: 2, arbitrary: wholeShapes },
  fc
    .tuple(wholeShapes, fc.constantFrom('required' as const, 'preferred' as const))
    .map(([shape, nvlink]): Shape => ({ ...shape, gpus: 2, nvlink })),
  fc
    .tuple(wholeShapes, fc.constantFrom(200, 300, 470))
    .map(([shape, gpuMilli]): Shape => ({ ...shape, gpus: 1, gpuMilli })),
);

const pending = fc
  .array(fc.tuple(shapes, fc.integer({ min: 1, max: 12 })), { minLength: 1, maxLength: 5 })
  .map((kinds) =>
    kinds.map(([shape, count], at) => ({
      key: `${at} ${shapeKey(shape)}`,
      shape,
      workloadIds: Array.from({ length: count }, (_, index) => `wl-${at}-${index}`),
    })),
  );

/** Costs of all nodes that have room, by looking at each. */
function costs(nodes: Iterable<SnapshotNode>, shape: Shape, packing: FleetPacking): Map<string, number> {
  const found = new Map<string, number>();
  for (const one of nodes) {
    if (!one.schedulable || neverFits(one, shape) || !fitNow(one, shape)) continue;
    const surcharge = 1e-3 * leftover(one, shape) + reluctance(one, shape);
    found.set(one.id, packing.loss(one, shape) + surcharge);
  }
  return found;
}

function expectChoice({ nodeId, trace }: Placement, all: ReadonlyMap<string, number>, nodes: number): void {
  const cheapest = Math.min(...all.values());
  expect(all.get(nodeId)).toBe(cheapest);
  const others = [...all].filter(([id]) => id !== nodeId).map(([, cost]) => cost);
  expect(trace).toMatchObject({ nodes, candidates: all.size, cost: cheapest });
  expect(trace.runnerUpCost).toBe(others.length > 0 ? Math.min(...others) : undefined);
  if (trace.runnerUp !== undefined) expect(all.get(trace.runnerUp)).toBe(trace.runnerUpCost);
  expect(trace.runnerUp).not.toBe(nodeId);
  const counted = [...(trace.others ?? '').matchAll(/\d+/g)].reduce((sum, [count]) => sum + Number(count), 0);
  expect(counted).toBe(nodes - all.size);
}

function learnt(kinds: readonly { readonly shape: Shape }[], nodes: readonly SnapshotNode[]): FleetPacking {
  const packing = new FleetPacking();
  for (const { shape } of kinds) packing.arrived(shape);
  packing.refresh(nodes);
  return packing;
}

describe('a plan over groups', () => {
  it('takes the cheapest of all nodes each time, and says truly over what', () => {
    fc.assert(
      fc.property(fleets, pending, (nodes, kinds) => {
        const packing = learnt(kinds, nodes);
        const now = new Map(nodes.map((one) => [one.id, one]));
        for (const placement of planPlacements({ nodes }, kinds, 1000, packing).placements) {
          expectChoice(placement, costs(now.values(), placement.shape, packing), nodes.length);
          const before = now.get(placement.nodeId)!;
          now.set(placement.nodeId, afterPlacement(before, placement.shape, placement.devices));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('looks at no other nodes than those that it is told to', () => {
    fc.assert(
      fc.property(fleets, pending, fc.nat(29), (nodes, kinds, at) => {
        const nodeIds = new Set([`node-${at}`]);
        const retried = kinds.map((kind) => ({ ...kind, nodeIds }));
        const { placements } = planPlacements({ nodes }, retried, 1000, learnt(kinds, nodes));
        for (const { nodeId, trace } of placements) {
          expect(nodeIds).toContain(nodeId);
          expect(trace).toMatchObject({ nodes: 1, retried: true, candidates: 1 });
        }
      }),
    );
  });
});

/** By key, the ids; in no order. */
function content(groups: NodeGroups): ReadonlyMap<number, readonly string[]> {
  return new Map(groups.groups.map(({ key, nodes }) => [key, [...nodes.keys()].toSorted()]));
}

describe('groups kept up to date', () => {
  it('are those made anew', () => {
    fc.assert(
      fc.property(fleets, fleets, fc.func(fc.boolean()), (before, after, stays) => {
        const { groupKey } = new FleetPacking();
        const groups = new NodeGroups(groupKey, before);
        for (const one of before) if (!stays(one.id)) groups.remove(one.id);
        for (const one of after) groups.put(one);
        const nodes = new Map(before.filter(({ id }) => stays(id)).map((one) => [one.id, one]));
        for (const one of after) nodes.set(one.id, one);
        expect(content(groups)).toEqual(content(new NodeGroups(groupKey, nodes.values())));
        expect(groups.size).toBe(nodes.size);
        for (const [id, one] of nodes) expect(groups.node(id)).toBe(one);
      }),
    );
  });
});
