// Shows that what is said of a waiting workload is true: every count, every remedy and every estimate is
// confirmed on small random fleets by a search of the test's own.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ObstacleCode, RemedyStep, WaitExplanation } from '@clawbernetes/protocol';
import { planPlacements, type PendingShape, type Shape, type SnapshotNode } from '../../../src/index.ts';
import { fitNow, neverFits } from '../../../src/scheduler/fit.ts';
import { FleetPacking } from '../../../src/scheduler/score/fleet-packing.ts';
import { explainWaiting } from '../../../src/scheduler/why/explain-waiting.ts';
import { withoutHolders, type Holder } from '../../../src/scheduler/why/holder.ts';
import { obstaclesOf } from '../../../src/scheduler/why/obstacle.ts';
import { areJoined, mostTogether, subsets } from '../gpu-node.ts';
import {
  aheadArbitrary,
  fleetArbitrary,
  holdersIn,
  NOW_MS,
  shapeArbitrary,
  type RandomFleet,
} from './random-fleet.ts';

const canTake = (node: SnapshotNode, shape: Shape): boolean =>
  node.schedulable && neverFits(node, shape) === undefined && fitNow(node, shape) !== undefined;

/** As the placer leaves it: what waits, the one in question last, fits nowhere any more. */
function settled(
  { nodes, holders }: RandomFleet,
  pending: readonly PendingShape[],
): { readonly nodes: readonly SnapshotNode[]; readonly holders: readonly Holder[] } {
  const { placements } = planPlacements({ nodes }, pending, 1000, new FleetPacking());
  let now = nodes;
  const added = placements.map(({ workloadId, nodeId, devices, shape }): Holder => {
    const { gpuMilli = 1000, cpuMilli, memoryMib } = shape;
    return { workloadId, name: workloadId, nodeId, devices, gpuMilli, cpuMilli, memoryMib, graceMs: 0 };
  });
  for (const { nodeId, devices, gpuMilli = 1000, cpuMilli, memoryMib } of added)
    now = now.map((node) =>
      node.id === nodeId
        ? {
            ...node,
            free: { cpuMilli: node.free.cpuMilli - cpuMilli, memoryMib: node.free.memoryMib - memoryMib },
            gpus: node.gpus.map((gpu) =>
              devices.includes(gpu.id) ? { ...gpu, freeMilli: gpu.freeMilli - gpuMilli } : gpu,
            ),
          }
        : node,
    );
  return { nodes: now, holders: [...holders, ...added] };
}

interface Case {
  readonly nodes: readonly SnapshotNode[];
  readonly holders: readonly Holder[];
  readonly shape: Shape;
  readonly ahead: readonly PendingShape[];
  readonly told: WaitExplanation;
}

/** Calls `check` with workloads that have to wait: a good part of `numRuns`. */
interface Runs {
  readonly numRuns?: number;
  /** Of all its choices; by chance if absent. */
  readonly seed?: number;
}

function checkAll(check: (one: Case) => void, { numRuns = 600, seed }: Runs = {}): void {
  let waiting = 0;
  fc.assert(
    fc.property(fleetArbitrary, shapeArbitrary, aheadArbitrary, (fleet, shape, before) => {
      const { nodes, holders } = settled(fleet, before);
      const taken = new Set(holders.map(({ workloadId }) => workloadId));
      const ahead = before
        .map((group) => ({ ...group, workloadIds: group.workloadIds.filter((id) => !taken.has(id)) }))
        .filter(({ workloadIds }) => workloadIds.length > 0);
      if (nodes.some((node) => canTake(node, shape))) return;
      waiting += 1;
      const facts = { nodes, shape, ahead, unapproved: [], nowMs: NOW_MS, limitOf: () => undefined };
      const told = explainWaiting({ ...facts, holdersOf: holdersIn(holders) });
      check({ nodes, holders, shape, ahead, told });
    }),
    { numRuns, ...(seed === undefined ? {} : { seed }) },
  );
  expect(waiting).toBeGreaterThan(numRuns / 4);
}

test('a node has an obstacle exactly if nothing of the shape could be placed on it', () => {
  fc.assert(
    fc.property(fleetArbitrary, shapeArbitrary, ({ nodes }, shape) => {
      for (const node of nodes) expect(obstaclesOf(node, shape).length === 0).toBe(canTake(node, shape));
    }),
    { numRuns: 1000 },
  );
});

/** Each code by a look of the test's own at a node. */
const CLAIMS: Record<ObstacleCode, (node: SnapshotNode, shape: Shape, what: string) => boolean> = {
  'other-node': (node, shape) =>
    (shape.nodeId ?? node.id) !== node.id || (shape.nodeSelector['node'] ?? node.name) !== node.name,
  label: (node, _, what) => !Object.entries(node.labels).some(([key, value]) => `${key}=${value}` === what),
  affinity: (node) => node.labels['zone'] === 'us',
  executor: (node) => !node.executors.has('container'),
  sandbox: (node) => !node.sandboxed,
  cpu: (node, shape) => node.capacity.cpuMilli < shape.cpuMilli,
  memory: (node, shape) => node.capacity.memoryMib < shape.memoryMib,
  'gpu-count': (node, shape) => node.gpus.filter((gpu) => gpu.migProfile === undefined).length < shape.gpus,
  'mig-profile': (node, shape) =>
    node.gpus.filter((gpu) => gpu.migProfile === shape.migProfile).length < shape.gpus,
  nvlink: (node, shape) => shape.nvlink === 'required' && !areSomeJoined(node, shape, 0),
  'gpu-model': (node, shape) => wanted(node, shape).length < shape.gpus,
  'gpus-apart': (node, shape) => mostTogether(freed(node), shape, shape.within ?? 'numa') === 0,
  'gpu-health': (node, shape) =>
    wanted(node, shape).length >= shape.gpus &&
    (shape.nvlink === 'required'
      ? !areSomeJoined(node, shape, 0)
      : wanted(node, shape).filter((gpu) => gpu.usable).length < shape.gpus),
  taint: (node) => node.taints !== undefined,
  cordoned: (node) => node.unschedulableReason === 'cordoned',
  draining: (node) => node.unschedulableReason === 'drained',
  unreachable: (node) => node.unschedulableReason === 'suspect',
  'not-ready': (node) => node.unschedulableReason === 'reconnecting',
  reserved: (node) => node.reserved !== undefined,
  'gpus-in-use': (node, shape) =>
    wanted(node, shape).filter((gpu) => gpu.usable && gpu.freeMilli === 1000).length < shape.gpus,
  'gpu-share-in-use': (node, shape) =>
    !wanted(node, shape).some((gpu) => gpu.usable && gpu.freeMilli >= (shape.gpuMilli ?? 0)),
  'nvlink-in-use': (node, shape) => areSomeJoined(node, shape, 0) && !areSomeJoined(node, shape, 1000),
  'gpus-apart-in-use': (node, shape) => mostTogether(node, shape, shape.within ?? 'numa') === 0,
  'cpu-in-use': (node, shape) => node.free.cpuMilli < shape.cpuMilli,
  'memory-in-use': (node, shape) => node.free.memoryMib < shape.memoryMib,
};

/** As if nothing ran there, and all GPUs were in order. */
function freed(node: SnapshotNode): SnapshotNode {
  const gpus = node.gpus.map((gpu) => ({ ...gpu, usable: true, freeMilli: 1000 }));
  return { ...node, gpus, free: node.capacity };
}

/** Whether some of its GPUs in working order, with so much of each free, are joined by NVLink. */
function areSomeJoined(node: SnapshotNode, shape: Shape, freeMilli: number): boolean {
  const places = wanted(node, shape)
    .filter((gpu) => gpu.usable && gpu.freeMilli >= freeMilli)
    .map((gpu) => node.gpus.indexOf(gpu));
  return subsets(places, shape.gpus).some((chosen) => areJoined(node, chosen));
}

function wanted({ gpus }: SnapshotNode, shape: Shape): SnapshotNode['gpus'] {
  const { gpuModels, minGpuMemoryMib, gpuMilli = 1000 } = shape;
  return gpus.filter(
    ({ model, memoryMib, migProfile }) =>
      migProfile === shape.migProfile &&
      Math.floor((memoryMib * gpuMilli) / 1000) >= minGpuMemoryMib &&
      (gpuModels.length === 0 || gpuModels.some((one) => model.toLowerCase().includes(one))),
  );
}

describe('what stands in the way', () => {
  test('each node is counted once, and of so many as it says it is true', () => {
    expect.hasAssertions();
    const seen = new Set<ObstacleCode>();
    const check = ({ nodes, shape, told }: Case): void => {
      expect(told.nodes).toBe(nodes.length);
      expect(told.obstacles.reduce((sum, one) => sum + one.nodes, 0)).toBe(nodes.length);
      for (const { code, what = '', nodes: count, message } of told.obstacles) {
        seen.add(code);
        const such = nodes.filter((node) => CLAIMS[code](node, shape, what));
        expect(such.length).toBeGreaterThanOrEqual(count);
        expect(message).toMatch(new RegExp(`^${count} `));
        expect(message).not.toMatch(/undefined|NaN/);
      }
    };
    checkAll(check);
    checkAll(check, { seed: 1 });
    // A claim that was never made was not tested: those on hardware and use come up with this seed.
    for (const code of [
      ...(['label', 'gpu-count', 'gpu-model', 'gpus-in-use', 'cpu', 'cordoned'] as const),
      ...(['mig-profile', 'nvlink', 'gpu-share-in-use'] as const),
    ])
      expect(seen).toContain(code);
  });

  test('of the nearest node all is told, and all of it is true', () => {
    expect.hasAssertions();
    checkAll(({ nodes, shape, told }) => {
      const node = nodes.find(({ name }) => name === told.nearest?.node);
      if (!node || !told.nearest) throw new Error('no node is nearest');
      for (const { code, what = '' } of told.nearest.obstacles)
        expect(CLAIMS[code](node, shape, what)).toBe(true);
      const fewest = Math.min(...nodes.map((one) => obstaclesOf(one, shape).length));
      if (fewest > 1) expect(told.nearest.obstacles.length).toBeGreaterThan(1);
      expect(told.nearest.message).not.toMatch(/undefined|NaN/);
    });
  });
});

interface Applied {
  readonly nodes: readonly SnapshotNode[];
  readonly shape: Shape;
}

/** Does to a copy what a step says, from what it says alone. */
function apply({ nodes, shape }: Applied, step: RemedyStep, holders: readonly Holder[]): Applied {
  const onNode = (change: (node: SnapshotNode) => SnapshotNode): Applied => ({
    shape,
    nodes: nodes.map((node) => (node.name === step.node ? change(node) : node)),
  });
  const asked = (change: Partial<Shape>): Applied => ({ nodes, shape: { ...shape, ...change } });
  switch (step.step) {
    case 'ask-gpus':
      return asked({ gpus: step.gpus ?? 0 });
    case 'ask-gpu-share':
      return asked({ gpuMilli: step.gpuMilli ?? 0 });
    case 'ask-mig':
      return asked({ migProfile: step.migProfile ?? '' });
    case 'ask-nvlink':
      return asked({ nvlink: 'preferred' });
    case 'ask-model':
      return asked({
        gpuModels: [...shape.gpuModels, ...(step.gpuModels ?? []).map((model) => model.toLowerCase())],
      });
    case 'ask-gpu-memory':
      return asked({ minGpuMemoryMib: step.minGpuMemoryMib ?? 0 });
    case 'ask-cpu':
      return asked({ cpuMilli: step.cpuMilli ?? 0 });
    case 'ask-memory':
      return asked({ memoryMib: step.memoryMib ?? 0 });
    case 'ask-label': {
      const kept = Object.entries(shape.nodeSelector).filter(([key]) => key !== step.label);
      return asked({ nodeSelector: Object.fromEntries(kept) });
    }
    case 'ask-affinity':
      return asked({ affinity: { required: [], preferred: [] } });
    case 'ask-members':
    case 'ask-topology':
    case 'ask-spread':
    case 'raise-limit':
    case 'ask-timeout':
    case 'wait-reservation':
    case 'delete-reservation':
      throw new Error(`${step.step} is a step for gangs, queues and reservations`);
    case 'ask-sandbox':
      return asked({ sandboxRequired: false });
    case 'tolerate':
      return asked({ tolerations: step.tolerations ?? [] });
    case 'uncordon':
    case 'reconnect':
      return onNode((node) => ({ ...node, schedulable: true }));
    case 'untaint':
      return onNode((node) => ({ ...node, taints: [] }));
    case 'label-node':
      return onNode((node) => ({
        ...node,
        labels: { ...node.labels, [step.label ?? '']: step.value ?? '' },
      }));
    case 'release-gpu':
      return onNode((node) => ({
        ...node,
        gpus: node.gpus.map((gpu) => (step.gpuIds?.includes(gpu.id) ? { ...gpu, usable: true } : gpu)),
      }));
    case 'wait': {
      const ended = new Set(step.until?.map(({ workload }) => workload));
      return onNode((node) =>
        withoutHolders(
          node,
          holders.filter((one) => one.nodeId === node.id && ended.has(one.workloadId)),
        ),
      );
    }
  }
}

describe('what would help', () => {
  test('a remedy that is certain makes the planner place it, one that is not gives it room at least', () => {
    expect.hasAssertions();
    const tried = new Map<string, number>();
    checkAll(
      ({ nodes, holders, shape, ahead, told }) => {
        for (const { steps, certain, message, commands } of told.remedies) {
          let then: Applied = { nodes, shape };
          for (const step of steps) then = apply(then, step, holders);
          for (const { step } of steps) tried.set(step, (tried.get(step) ?? 0) + 1);
          expect(then.nodes.some((node) => canTake(node, then.shape))).toBe(true);
          expect(message).toMatch(/^[A-Z].*\.$/);
          expect([message, ...commands].join()).not.toMatch(/undefined|NaN/);
          if (!certain) continue;
          const mine = { key: 'mine', shape: then.shape, workloadIds: ['mine'] };
          const { placements } = planPlacements(
            { nodes: then.nodes },
            [...ahead, mine],
            1000,
            new FleetPacking(),
          );
          expect(placements.map(({ workloadId }) => workloadId)).toContain('mine');
        }
      },
      { numRuns: 2000 },
    );
    for (const step of [
      ...['ask-gpus', 'ask-model', 'ask-cpu', 'ask-label', 'uncordon', 'wait', 'untaint'],
      ...['ask-gpu-share', 'ask-mig', 'ask-nvlink'],
    ])
      expect(tried.get(step) ?? 0).toBeGreaterThan(0);
  });

  test('where one thing alone is in the way of a node, there is a remedy', () => {
    expect.hasAssertions();
    const curable = new Set<ObstacleCode>([
      ...(['label', 'affinity', 'sandbox', 'taint', 'cordoned', 'draining', 'gpus-in-use'] as const),
      ...(['gpu-share-in-use'] as const),
    ]);
    checkAll(({ nodes, shape, told }) => {
      const single = nodes.some((node) => {
        const [first, ...rest] = obstaclesOf(node, shape);
        return rest.length === 0 && first !== undefined && curable.has(first.code);
      });
      if (single) expect(told.remedies.length).toBeGreaterThan(0);
    });
  });
});

describe('when it starts', () => {
  /** The nodes once all that is to end by then has ended. */
  const at = (nodes: readonly SnapshotNode[], holders: readonly Holder[], isOver: (one: Holder) => boolean) =>
    nodes.map((node) =>
      withoutHolders(
        node,
        holders.filter((one) => one.nodeId === node.id && isOver(one)),
      ),
    );

  test('a range begins when enough has ended and not before; without one no declared end is enough', () => {
    expect.hasAssertions();
    const estimates = new Set<string>();
    checkAll(
      ({ nodes, holders, shape, ahead, told: { start } }) => {
        estimates.add(start.estimate);
        const { fromMs, toMs } = start;
        if (ahead.length > 0) return;
        if (fromMs === undefined || toMs === undefined) {
          const then = at(nodes, holders, ({ endsAtMs }) => endsAtMs !== undefined);
          expect(then.some((node) => canTake(node, shape))).toBe(false);
          return;
        }
        const then = at(nodes, holders, ({ endsAtMs = Infinity }) => endsAtMs <= fromMs);
        expect(then.some((node) => canTake(node, shape))).toBe(true);
        const before = at(nodes, holders, ({ endsAtMs = Infinity }) => endsAtMs < fromMs);
        expect(before.some((node) => canTake(node, shape))).toBe(false);
        expect(toMs).toBeGreaterThanOrEqual(fromMs);
      },
      { numRuns: 1500 },
    );
    expect(estimates).toEqual(new Set(['range', 'unknown']));
  });
});

test('nothing that it is asked about is changed', () => {
  expect.hasAssertions();
  checkAll(
    ({ nodes, holders, shape, ahead, told }) => {
      const facts = { nodes: freeze(nodes), shape: freeze(shape), ahead: freeze(ahead), unapproved: [] };
      const holdersOf = holdersIn(freeze(holders));
      const again = explainWaiting({ ...facts, holdersOf, nowMs: NOW_MS, limitOf: () => undefined });
      expect(again).toEqual(told);
    },
    { numRuns: 200 },
  );
});

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(freeze);
  }
  return value;
}
