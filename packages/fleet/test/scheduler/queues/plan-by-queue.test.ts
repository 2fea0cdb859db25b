// Shows that a plan in which queues take turns leaves nothing unplaced that would fit, whichever shapes they
// ask for, passes no limit, and leaves the usage that it was made with as it was.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FleetTopology } from '../../../src/scheduler/gang/fleet-topology.ts';
import { fitNow } from '../../../src/scheduler/fit.ts';
import { NodeGroups } from '../../../src/scheduler/node-groups.ts';
import { amountOf, amounts } from '../../../src/scheduler/queues/amounts.ts';
import { fairShares, totalDemand } from '../../../src/scheduler/queues/fair-share.ts';
import { EVERY_GPU, GpuClasses } from '../../../src/scheduler/queues/gpu-classes.ts';
import { GpuModels } from '../../../src/scheduler/queues/gpu-models.ts';
import { ListedShapes } from '../../../src/scheduler/queues/listed-shapes.ts';
import { planByQueue } from '../../../src/scheduler/queues/plan-by-queue.ts';
import {
  demandOf,
  QueuePlanOrder,
  type QueuedShape,
} from '../../../src/scheduler/queues/queue-plan-order.ts';
import { QueueTree } from '../../../src/scheduler/queues/queue-tree.ts';
import { QueueUsage } from '../../../src/scheduler/queues/queue-usage.ts';
import { demandOfShapes } from '../../../src/scheduler/queues/waiting-demand.ts';
import { Worth } from '../../../src/scheduler/queues/worth.ts';
import { FleetPacking } from '../../../src/scheduler/score/fleet-packing.ts';
import type { Shape } from '../../../src/scheduler/resources.ts';
import type { SnapshotNode } from '../../../src/scheduler/snapshot.ts';

const QUEUES = ['a', 'b', 'c'] as const;
const LIMIT = 6;

const nodeArbitrary = fc.record({ gpus: fc.nat(4), cores: fc.integer({ min: 1, max: 6 }) });
const groupArbitrary = fc.record({
  queue: fc.constantFrom(...QUEUES),
  priority: fc.nat(1),
  gpus: fc.nat(2),
  cores: fc.integer({ min: 1, max: 3 }),
  named: fc.boolean(),
  count: fc.integer({ min: 1, max: 6 }),
});

function nodeOf({ gpus, cores }: { gpus: number; cores: number }, index: number): SnapshotNode {
  const capacity = { cpuMilli: cores * 1000, memoryMib: 1000 };
  return {
    id: `n${index}`,
    name: `n${index}`,
    schedulable: true,
    labels: { node: `n${index}` },
    capacity,
    free: capacity,
    gpus: Array.from({ length: gpus }, (_, place) => ({
      ...{ id: `g${index}-${place}`, model: 'H100', memoryMib: 80_000, freeMilli: 1000, usable: true },
    })),
    executors: new Set(['process']),
    sandboxed: false,
  };
}

function shapeOf({ gpus, cores, named }: { gpus: number; cores: number; named: boolean }): Shape {
  return {
    ...{ gpus, gpuModels: [], minGpuMemoryMib: 0, cpuMilli: cores * 1000, memoryMib: 1 },
    ...{ executor: 'process', sandboxRequired: false, nodeSelector: named ? { node: 'n0' } : {} },
  };
}

test('takes turns, passes no limit, and leaves nothing that would fit', () => {
  fc.assert(
    fc.property(
      fc.array(nodeArbitrary, { minLength: 1, maxLength: 4 }),
      fc.array(groupArbitrary, { minLength: 1, maxLength: 8 }),
      (nodes, asked) => {
        const packing = new FleetPacking();
        const views = nodes.map(nodeOf);
        const limit = new Map([[EVERY_GPU, LIMIT * 1000] as const]);
        const tree = new QueueTree(QUEUES.map((name) => ({ name, ...(name === 'a' ? { limit } : {}) })));
        const worth = new Worth({ gpu: new Map([['*', 1000]]), otherGpu: 0 });
        const usage = new QueueUsage(tree, worth);
        const waiting = asked.map((group, index): QueuedShape => ({
          ...{ key: `k${index}`, queue: group.queue, priority: group.priority, sinceMs: index },
          ...{ shape: shapeOf(group), waiting: group.count },
          workloadIds: Array.from({ length: group.count }, (_, at) => `w${index}-${at}`),
        }));
        const [classes, models] = [new GpuClasses([]), new GpuModels()];
        const capacity = amounts({
          gpuMilli: { '*': nodes.reduce((sum, { gpus }) => sum + gpus * 1000, 0) },
        });
        const demand = totalDemand(tree, demandOf({ tree, usage, classes, models }, demandOfShapes(waiting)));
        const shares = fairShares({ tree, worth, capacity, demand });
        const order = new QueuePlanOrder(
          { tree, worth, classes, usage, shares, models, isPreemptible: () => true },
          new ListedShapes(waiting),
        );
        const groups = new NodeGroups(packing.groupKey, views);
        const topology = new FleetTopology(views);
        const plan = planByQueue({ groups, order, packing, topology }, 1000);

        const then = new Map(views.map((node) => [node.id, node]));
        for (const { before, after } of plan.placements) {
          expect(then.get(before.id)).toBe(before);
          then.set(after.id, after);
        }
        const placed = new Set(plan.placements.map(({ workloadId }) => workloadId));
        const used = waiting.flatMap(({ queue, shape, workloadIds }) =>
          queue === 'a' ? workloadIds.filter((id) => placed.has(id)).map(() => shape.gpus) : [],
        );
        expect(used.reduce((sum, gpus) => sum + gpus, 0)).toBeLessThanOrEqual(LIMIT);
        for (const { key, shape, workloadIds } of waiting) {
          if (workloadIds.every((id) => placed.has(id)) || plan.stops.has(key)) continue;
          expect(plan.blocked).toContain(key);
          const able = [...then.values()].filter(
            ({ name }) => shape.nodeSelector['node'] === undefined || name === 'n0',
          );
          expect(able.some((node) => fitNow(node, shape) !== undefined)).toBe(false);
        }
        for (const name of QUEUES) expect(amountOf(usage.used(name), EVERY_GPU)).toBe(0);
      },
    ),
    { numRuns: 500 },
  );
});
