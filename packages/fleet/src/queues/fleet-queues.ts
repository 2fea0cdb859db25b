import type { FleetCore } from '../fleet-core.ts';
import { amountOf, type Amounts, type Dimension } from '../scheduler/queues/amounts.ts';
import { fairShares, totalDemand } from '../scheduler/queues/fair-share.ts';
import { EVERY_GPU } from '../scheduler/queues/gpu-classes.ts';
import { demandOf, type QueuedShape, type QueueFacts } from '../scheduler/queues/queue-plan-order.ts';
import type { QueueUsage } from '../scheduler/queues/queue-usage.ts';
import { weightsAfterUse } from '../scheduler/queues/usage-history.ts';
import type { SnapshotNode } from '../scheduler/snapshot.ts';

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

/** How the queues stand: what each uses, wants and is entitled to at this moment. */
export function queueSituation(
  core: Pick<FleetCore, 'queues' | 'accounts' | 'options'>,
  nodes: Iterable<AlikeNodes>,
  waiting: readonly QueuedShape[],
  usage: QueueUsage = core.accounts.usage,
): QueueSituation {
  const { regime } = core.queues;
  const { tree, worth, classes } = regime;
  const { history } = core.accounts;
  const { capacity, models } = capacityOf(nodes, (model) => classes.of(model), !classes.isOne);
  const demand = totalDemand(tree, demandOf({ tree, usage, classes, models }, waiting));
  const weights = weightsAfterUse(tree, history, worth.of(capacity), core.options.queues.historyStrength);
  const shares = fairShares({ tree, worth, capacity, demand, weights });
  const isPreemptible = (queue: string): boolean => regime.isPreemptible(queue);
  return { tree, worth, classes, usage, shares, models, isPreemptible, capacity, demand };
}

/** What of the fleet can be used at all: of nodes that take work, GPUs that are in order. */
function capacityOf(
  nodes: Iterable<AlikeNodes>,
  classOf: (model: string) => Dimension,
  byClass: boolean,
): { readonly capacity: Amounts; readonly models: ReadonlySet<string> } {
  const capacity = new Map<Dimension, number>();
  const models = new Set<string>();
  const add = (dimension: Dimension, amount: number): void =>
    void capacity.set(dimension, amountOf(capacity, dimension) + amount);
  for (const { example, count } of nodes) {
    for (const { model } of example.gpus) models.add(model);
    if (!example.schedulable) continue;
    add('cpuMilli', example.capacity.cpuMilli * count);
    add('memoryMib', example.capacity.memoryMib * count);
    for (const { usable, model } of example.gpus) {
      if (!usable) continue;
      add(EVERY_GPU, 1000 * count);
      if (byClass) add(classOf(model), 1000 * count);
    }
  }
  return { capacity, models };
}
