import type { WaitExplanation, WorkloadSpec } from '@clawbernetes/protocol';
import type { Placement } from '../scheduler/placement.ts';
import { planningPlacements, type PendingShape } from '../scheduler/plan.ts';
import { amountsAsked, classChoices } from '../scheduler/queues/asked-amounts.ts';
import { GpuModels } from '../scheduler/queues/gpu-models.ts';
import type { QueuedShape } from '../scheduler/queues/queue-plan-order.ts';
import { explainQueueStop } from '../scheduler/queues/queue-usage.ts';
import type { Shape } from '../scheduler/resources.ts';
import { sliced, type Sliced } from '../scheduler/slices.ts';
import type { SnapshotNode } from '../scheduler/snapshot.ts';
import { afterAll, MOVED, type FleetFacts } from '../scheduler/why/what-if.ts';
import type { FleetMoment } from '../workload/fleet-moment.ts';
import { priorityOf } from './queue-accounts.ts';
import { planImagined, usageThen } from './queue-trial.ts';

/** More of a shape than would start. */
interface MoreWork {
  readonly shape: Shape;
  readonly spec: WorkloadSpec | undefined;
  readonly starts: number;
  /** Ids of workloads. */
  readonly ended: ReadonlySet<string>;
}

/** Of one node, in looks. */
const LOOKS_PER_NODE = 0.5;

/** What queues have to say to what is only imagined. */
export class QueueQuestions {
  readonly #moment: FleetMoment;

  constructor(moment: FleetMoment) {
    this.#moment = moment;
  }

  /** Plans by the queues; nothing where there is but a plain one. @param spec of what is asked for. */
  planning(spec: WorkloadSpec | undefined): Pick<FleetFacts, 'plan'> {
    if (this.#moment.queues.regime.isPlain) return {};
    return { plan: (nodes, asking, ended) => this.#plan(nodes, asking, ended, spec) };
  }

  /** Why no more of it would start, if a limit is the reason. */
  *stopOfMore({ shape, spec, starts, ended }: MoreWork): Sliced<WaitExplanation | undefined> {
    const { nodes, queues } = this.#moment;
    const { regime } = queues;
    if (regime.isPlain) return undefined;
    const queue = regime.queueOf(spec ?? {});
    const usage = yield* usageThen(this.#moment, { regime, ended });
    const models = new GpuModels();
    yield* sliced(nodes, LOOKS_PER_NODE, ({ gpus }) => models.add(gpus));
    const asks = classChoices(shape, models, regime.classes).map((choice) => amountsAsked(shape, choice));
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
  *#plan(
    nodes: readonly SnapshotNode[],
    asking: readonly PendingShape[],
    ended: ReadonlySet<string>,
    spec: WorkloadSpec | undefined,
  ): Sliced<readonly Placement[]> {
    const { packing, queues } = this.#moment;
    const moving = asking.filter(({ key }) => key.startsWith(MOVED));
    const most = Math.max(1, moving.length);
    const { placements: moves } = yield* planningPlacements({ nodes }, moving, most, packing);
    const then = yield* afterAll(nodes, moves);
    const others = asking.filter(({ key }) => !key.startsWith(MOVED));
    const waiting = others.map((group) => this.#queued(group, spec));
    const count = waiting.reduce((sum, { workloadIds }) => sum + workloadIds.length, 0);
    const imagined = { regime: queues.regime, nodes: then, waiting, ended };
    const plan = yield* planImagined(this.#moment, imagined, Math.max(1, count));
    return [...moves, ...plan.placements];
  }

  #queued(group: PendingShape, spec: WorkloadSpec | undefined): QueuedShape {
    const { workloads, queues, nowMs } = this.#moment;
    const workload = workloads.workload(group.workloadIds[0] ?? '');
    const queue = queues.regime.queueOf(workload?.spec ?? spec ?? {});
    const { defaultPriority = 0 } = queues.regime.record(queue) ?? {};
    return {
      ...group,
      queue,
      priority: workload ? priorityOf(workload) : (spec?.priority ?? defaultPriority),
      sinceMs: workload?.submittedAtMs ?? nowMs,
      waiting: group.workloadIds.length,
    };
  }
}
