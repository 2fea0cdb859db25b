import type { FleetCore } from '../fleet-core.ts';
import { FleetTopology } from '../scheduler/gang/fleet-topology.ts';
import { NodeGroups } from '../scheduler/node-groups.ts';
import type { Plan } from '../scheduler/plan.ts';
import { planByQueue } from '../scheduler/queues/plan-by-queue.ts';
import { QueuePlanOrder, type QueuedShape } from '../scheduler/queues/queue-plan-order.ts';
import { QueueUsage } from '../scheduler/queues/queue-usage.ts';
import { demandOfShapes } from '../scheduler/queues/waiting-demand.ts';
import type { FleetPacking } from '../scheduler/score/fleet-packing.ts';
import type { SnapshotNode } from '../scheduler/snapshot.ts';
import { alike, queueSituation, type QueueSituation } from './queue-situation.ts';
import type { QueueRegime } from './queue-regime.ts';

/** What is imagined of the queues and what is in them. */
export interface Imagined {
  readonly regime: QueueRegime;
  readonly nodes: readonly SnapshotNode[];
  readonly waiting: readonly QueuedShape[];
  /** Ids of workloads that hold nothing any more. */
  readonly ended: ReadonlySet<string>;
}

export interface TrialDeps {
  readonly core: FleetCore;
  readonly packing: FleetPacking;
}

/** What would be placed: a plan by the queues on a copy of what they count. */
export function planImagined(deps: TrialDeps, imagined: Imagined, limit: number): Plan {
  const { packing } = deps;
  const { nodes, waiting } = imagined;
  const order = new QueuePlanOrder(situationThen(deps, imagined), waiting);
  const groups = new NodeGroups(packing.groupKey, nodes);
  return planByQueue({ groups, order, packing, topology: new FleetTopology(nodes) }, limit);
}

function situationThen({ core }: TrialDeps, imagined: Imagined): QueueSituation {
  const { regime, nodes, waiting } = imagined;
  const usage = usageThen({ core }, imagined);
  const { accounts, options } = core;
  return queueSituation(
    { regime, history: accounts.history, options, usage },
    alike(nodes),
    demandOfShapes(waiting),
  );
}

/** What would be counted. */
export function usageThen(
  { core }: Pick<TrialDeps, 'core'>,
  { regime, ended }: Pick<Imagined, 'regime' | 'ended'>,
): QueueUsage {
  const usage = new QueueUsage(regime.tree, regime.worth);
  for (const [attemptId, { queue, amounts, preemptible }] of core.accounts.charges()) {
    const workloadId = core.workloads.attempt(attemptId)?.workloadId;
    if (workloadId === undefined || !ended.has(workloadId)) usage.charge(queue, amounts, preemptible);
  }
  return usage;
}
