import { FleetTopology } from '../scheduler/gang/fleet-topology.ts';
import { isGang } from '../scheduler/gang/member-shape.ts';
import { NodeGroups } from '../scheduler/node-groups.ts';
import type { Plan } from '../scheduler/plan.ts';
import { planningByQueue } from '../scheduler/queues/plan-by-queue.ts';
import { ListedShapes } from '../scheduler/queues/listed-shapes.ts';
import { QueuePlanOrder, type QueuedShape } from '../scheduler/queues/queue-plan-order.ts';
import { QueueUsage } from '../scheduler/queues/queue-usage.ts';
import { demandOfShapes, type WaitingAmounts } from '../scheduler/queues/waiting-demand.ts';
import { sliced, type Sliced } from '../scheduler/slices.ts';
import type { SnapshotNode } from '../scheduler/snapshot.ts';
import type { FleetMoment } from '../workload/fleet-moment.ts';
import { alikeIn, queueSituation } from './queue-situation.ts';
import type { QueueRegime } from './queue-regime.ts';

/** What is imagined of the queues and what is in them. */
export interface Imagined {
  readonly regime: QueueRegime;
  readonly nodes: readonly SnapshotNode[];
  /** The nodes by likeness, where that is known already. */
  readonly groups?: NodeGroups;
  readonly waiting: readonly QueuedShape[];
  /** Of all that waits; absent = of those. */
  readonly demand?: Iterable<WaitingAmounts>;
  /** Ids of workloads that hold nothing any more. */
  readonly ended: ReadonlySet<string>;
}

// In looks: of a node that is put with those that are alike or into its place, of a shape that waits, of an
// attempt of which it is asked whether it has ended.
const LOOKS_PER_NODE = 1;
const LOOKS_PER_SHAPE = 1;
const LOOKS_PER_CHARGE = 0.2;

/** What would be placed: a plan by the queues on a copy of what they count. */
export function* planImagined(moment: FleetMoment, imagined: Imagined, limit: number): Sliced<Plan> {
  const { regime, nodes, waiting } = imagined;
  const { groups = yield* groupNodes(moment, nodes) } = imagined;
  const topology = new FleetTopology();
  if (waiting.some(({ shape }) => isGang(shape)))
    yield* sliced(nodes, LOOKS_PER_NODE, (node) => topology.put(node));
  const usage = yield* usageThen(moment, imagined);
  const { history, options } = moment.queues;
  const state = { regime, history, options, usage };
  const situation = queueSituation(state, alikeIn(groups), imagined.demand ?? demandOfShapes(waiting));
  const order = new QueuePlanOrder(situation, new ListedShapes(waiting));
  yield groups.groups.length + waiting.length * LOOKS_PER_SHAPE;
  return yield* planningByQueue({ groups, order, packing: moment.packing, topology }, limit);
}

export function* groupNodes({ packing }: FleetMoment, nodes: readonly SnapshotNode[]): Sliced<NodeGroups> {
  const groups = new NodeGroups(packing.groupKey);
  yield* sliced(nodes, LOOKS_PER_NODE, (node) => groups.put(node));
  return groups;
}

/** What would be counted. */
export function* usageThen(
  { accounts, queues, workloads }: Pick<FleetMoment, 'accounts' | 'queues' | 'workloads'>,
  { regime, ended }: Pick<Imagined, 'regime' | 'ended'>,
): Sliced<QueueUsage> {
  // With one queue nothing is counted while it runs.
  const isCounted = !queues.regime.isPlain;
  const usage = new QueueUsage(regime.tree, regime.worth, isCounted ? queues.usage : undefined);
  if (isCounted && ended.size === 0) return usage;
  yield* sliced(accounts.charges(), LOOKS_PER_CHARGE, ([id, { queue, amounts, preemptible }]) => {
    const hasEnded = ended.has(workloads.attempt(id)?.workloadId ?? '');
    if (hasEnded && isCounted) usage.refund(queue, amounts, preemptible);
    else if (!hasEnded && !isCounted) usage.charge(queue, amounts, preemptible);
  });
  return usage;
}
