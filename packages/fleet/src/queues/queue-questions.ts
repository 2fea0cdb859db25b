import type { WaitExplanation, WorkloadSpec } from '@clawbernetes/protocol';
import { afterPlacement, type Placement } from '../scheduler/placement.ts';
import { planPlacements, type PendingShape } from '../scheduler/plan.ts';
import { amountsAsked, classChoices } from '../scheduler/queues/asked-amounts.ts';
import type { QueuedShape } from '../scheduler/queues/queue-plan-order.ts';
import { explainQueueStop } from '../scheduler/queues/queue-usage.ts';
import type { Shape } from '../scheduler/resources.ts';
import type { SnapshotNode } from '../scheduler/snapshot.ts';
import { MOVED, type FleetFacts } from '../scheduler/why/what-if.ts';
import { priorityOf } from './queue-accounts.ts';
import { planImagined, usageThen, type TrialDeps } from './queue-trial.ts';

/** More of a shape than would start. */
interface MoreWork {
  readonly shape: Shape;
  readonly spec: WorkloadSpec | undefined;
  readonly starts: number;
  /** Ids of workloads. */
  readonly ended: ReadonlySet<string>;
}

/** What queues have to say to what is only imagined. */
export class QueueQuestions {
  readonly #deps: TrialDeps;

  constructor(deps: TrialDeps) {
    this.#deps = deps;
  }

  /** Plans by the queues; nothing where there is but a plain one. @param spec of what is asked for. */
  planning(spec: WorkloadSpec | undefined): Pick<FleetFacts, 'plan'> {
    const { regime } = this.#deps.core.queues;
    if (regime.isPlain) return {};
    return { plan: (nodes, asking, ended) => this.#plan(nodes, asking, ended, spec) };
  }

  /** Why no more of it would start, if a limit is the reason. */
  stopOfMore({ shape, spec, starts, ended }: MoreWork): WaitExplanation | undefined {
    const { core } = this.#deps;
    const { regime } = core.queues;
    if (regime.isPlain) return undefined;
    const queue = regime.queueOf(spec ?? {});
    const usage = usageThen(this.#deps, { regime, ended });
    const nodes = core.nodes.snapshot();
    const models = new Set(nodes.flatMap(({ gpus }) => gpus.map(({ model }) => model)));
    const asks = classChoices(shape, models, regime.classes).map(({ gpuClass }) =>
      amountsAsked(shape, gpuClass),
    );
    const isPreemptible = regime.isPreemptible(queue);
    const [first] = asks;
    if (!first) return undefined;
    for (let count = 0; count < starts; count += 1) usage.charge(queue, first, isPreemptible);
    const stops = asks.map((asked) => usage.stopOf(queue, asked, isPreemptible));
    const [stop] = stops;
    if (!stop || stops.includes(undefined)) return undefined;
    return {
      reason: stop.never ? 'over-limit' : 'waiting-for-quota',
      message: explainQueueStop(stop),
      nodes: nodes.length,
      ...{ obstacles: [], remedies: [], ahead: 0 },
      start: { estimate: 'unknown', message: 'It is only imagined.' },
    };
  }

  /** What leaves a node is counted already. */
  #plan(
    nodes: readonly SnapshotNode[],
    asking: readonly PendingShape[],
    ended: ReadonlySet<string>,
    spec: WorkloadSpec | undefined,
  ): readonly Placement[] {
    const { packing } = this.#deps;
    const { regime } = this.#deps.core.queues;
    const moving = asking.filter(({ key }) => key.startsWith(MOVED));
    const { placements: moves } = planPlacements({ nodes }, moving, Math.max(1, moving.length), packing);
    const then = new Map(nodes.map((node) => [node.id, node]));
    for (const { nodeId, shape, devices } of moves) {
      const node = then.get(nodeId);
      if (node) then.set(nodeId, afterPlacement(node, shape, devices));
    }
    const waiting = asking.flatMap((group) => (moving.includes(group) ? [] : [this.#queued(group, spec)]));
    const count = waiting.reduce((sum, { workloadIds }) => sum + workloadIds.length, 0);
    const imagined = { regime, nodes: [...then.values()], waiting, ended };
    return [...moves, ...planImagined(this.#deps, imagined, Math.max(1, count)).placements];
  }

  #queued(group: PendingShape, spec: WorkloadSpec | undefined): QueuedShape {
    const { workloads, queues, clock } = this.#deps.core;
    const workload = workloads.workload(group.workloadIds[0] ?? '');
    const queue = queues.regime.queueOf(workload?.spec ?? spec ?? {});
    const { defaultPriority = 0 } = queues.regime.record(queue) ?? {};
    return {
      ...group,
      queue,
      priority: workload ? priorityOf(workload) : (spec?.priority ?? defaultPriority),
      sinceMs: workload?.submittedAtMs ?? clock.nowMs(),
      waiting: group.workloadIds.length,
    };
  }
}
