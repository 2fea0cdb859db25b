// Not a test: running units, and evictions judged in a fleet whose demand is all that runs and waits.
import { amountOf, sumOf, type Amounts } from '../../../src/scheduler/queues/amounts.ts';
import { fairShares, totalDemand } from '../../../src/scheduler/queues/fair-share.ts';
import type { QueueTree } from '../../../src/scheduler/queues/queue-tree.ts';
import { QueueUsage } from '../../../src/scheduler/queues/queue-usage.ts';
import type { RunningUnit } from '../../../src/scheduler/queues/running-unit.ts';
import { Evictions, type ThrashGuards } from '../../../src/scheduler/queues/victims.ts';
import type { WaitingWork } from '../../../src/scheduler/queues/workload-order.ts';
import { Worth } from '../../../src/scheduler/queues/worth.ts';
import { gpus } from './queue-fixture.ts';

export const worth = new Worth();
export const HOUR_MS = 3_600_000;
export const NO_GUARDS: ThrashGuards = { minRuntimeMs: 0, coolDownMs: 0, maxPreemptions: Infinity };

export function unit(
  id: string,
  queue: string,
  count: number,
  changes: Partial<RunningUnit> = {},
): RunningUnit {
  return {
    id,
    workloadId: id,
    part: 'core',
    queue,
    priority: 0,
    preemptible: true,
    amounts: gpus(count),
    startedMs: 0,
    preemptions: 0,
    ...changes,
  };
}

export function work(
  id: string,
  queue: string,
  count: number,
  changes: Partial<WaitingWork> = {},
): WaitingWork {
  return { id, queue, priority: 0, submittedMs: 0, amounts: gpus(count), preemptible: true, ...changes };
}

export interface FleetState {
  readonly tree: QueueTree;
  readonly capacity: Amounts;
  readonly units: readonly RunningUnit[];
  readonly waits: readonly WaitingWork[];
  readonly guards?: ThrashGuards;
  readonly nowMs?: number;
}

export function usageOf({ tree, units }: Pick<FleetState, 'tree' | 'units'>): QueueUsage {
  const usage = new QueueUsage(tree, worth);
  for (const { queue, amounts, preemptible } of units) usage.charge(queue, amounts, preemptible);
  return usage;
}

export function evictionsIn(state: FleetState): Evictions {
  const { tree, units, waits, capacity, guards = NO_GUARDS, nowMs = HOUR_MS } = state;
  const byQueue = Map.groupBy([...units, ...waits], ({ queue }) => queue);
  const leaves = new Map(
    [...byQueue].map(([queue, all]) => [queue, sumOf(all.map(({ amounts }) => amounts))]),
  );
  const demand = totalDemand(tree, leaves);
  const shares = fairShares({ tree, worth, capacity, demand });
  return new Evictions({ tree, worth, usage: usageOf(state), shares, demand, units, guards, nowMs });
}

/** Ids and grounds of all that may be evicted for the work. */
export function evictable(state: FleetState, one: WaitingWork): Record<string, string> {
  const found = evictionsIn({ ...state, waits: [...state.waits, one] }).victimsFor(one);
  return Object.fromEntries(found.map(({ unit: { id }, ground }) => [id, ground]));
}

export function h100Of(vector: Amounts): number {
  return amountOf(vector, 'gpu:h100') / 1000;
}
