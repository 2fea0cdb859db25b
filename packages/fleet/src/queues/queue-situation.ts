import type { FleetCore, FleetOptions } from '../fleet-core.ts';
import { WHOLE_GPU } from '../scheduler/cluster/demand.ts';
import { amountOf, type Amounts, type Dimension } from '../scheduler/queues/amounts.ts';
import { fairShares, totalDemand } from '../scheduler/queues/fair-share.ts';
import { EVERY_GPU } from '../scheduler/queues/gpu-classes.ts';
import { GpuModels } from '../scheduler/queues/gpu-models.ts';
import { demandOf, type QueueFacts } from '../scheduler/queues/queue-plan-order.ts';
import type { QueueUsage } from '../scheduler/queues/queue-usage.ts';
import type { WaitingAmounts } from '../scheduler/queues/waiting-demand.ts';
import { weightsAfterUse, type UsageHistory } from '../scheduler/queues/usage-history.ts';
import type { NodeGroups } from '../scheduler/node-groups.ts';
import type { SnapshotNode } from '../scheduler/snapshot.ts';
import type { QueueRegime } from './queue-regime.ts';

/** Nodes that are alike for whoever counts what they have. */
export interface AlikeNodes {
  readonly example: SnapshotNode;
  readonly count: number;
}

export interface QueueSituation extends QueueFacts {
  readonly capacity: Amounts;
  /** By queue, inner ones included. */
  readonly demand: ReadonlyMap<string, Amounts>;
}

/** What the queues are, and what is counted of them. */
export interface QueueState {
  readonly regime: QueueRegime;
  readonly history: UsageHistory;
  readonly options: FleetOptions;
  readonly usage: QueueUsage;
}

/** Those of the fleet as it is. */
export function queueState({
  queues,
  accounts,
  options,
}: Pick<FleetCore, 'queues' | 'accounts' | 'options'>): QueueState {
  const { history, usage } = accounts;
  return { regime: queues.regime, history, options, usage };
}

export function* alike(nodes: Iterable<SnapshotNode>): Generator<AlikeNodes, void, undefined> {
  for (const example of nodes) yield { example, count: 1 };
}

export function* alikeIn({ groups }: NodeGroups): Generator<AlikeNodes, void, undefined> {
  for (const { nodes } of groups) {
    const [example] = nodes.values();
    if (example) yield { example, count: nodes.size };
  }
}

/** How the queues stand: what each uses, wants and is entitled to at this moment. */
export function queueSituation(
  { regime, history, options, usage }: QueueState,
  nodes: Iterable<AlikeNodes>,
  waiting: Iterable<WaitingAmounts>,
): QueueSituation {
  const { tree, worth, classes } = regime;
  const { capacity, models } = capacityOf(nodes, (model) => classes.of(model), !classes.isOne);
  const demand = totalDemand(tree, demandOf({ tree, usage, classes, models }, waiting));
  const weights = weightsAfterUse(tree, history, worth.of(capacity), options.queues.historyStrength);
  const shares = fairShares({ tree, worth, capacity, demand, weights });
  const isPreemptible = (queue: string): boolean => regime.isPreemptible(queue);
  return { tree, worth, classes, usage, shares, models, isPreemptible, capacity, demand };
}

/** What of the fleet can be used at all: of nodes that take work, GPUs that are in order. */
function capacityOf(
  nodes: Iterable<AlikeNodes>,
  classOf: (model: string) => Dimension,
  byClass: boolean,
): { readonly capacity: Amounts; readonly models: GpuModels } {
  const capacity = new Map<Dimension, number>();
  const models = new GpuModels();
  const add = (dimension: Dimension, amount: number): void =>
    void capacity.set(dimension, amountOf(capacity, dimension) + amount);
  for (const { example, count } of nodes) {
    models.add(example.gpus);
    if (!example.schedulable) continue;
    add('cpuMilli', example.capacity.cpuMilli * count);
    add('memoryMib', example.capacity.memoryMib * count);
    for (const { usable, model, migMilli = WHOLE_GPU } of example.gpus) {
      if (!usable) continue;
      add(EVERY_GPU, migMilli * count);
      if (byClass) add(classOf(model), migMilli * count);
    }
  }
  return { capacity, models };
}
