import { BinaryHeap } from '@clawbernetes/kernel';
import type { Quota, Remedy, RemedyStep, StartEstimate, WaitExplanation } from '@clawbernetes/protocol';
import type { NodeGroups } from '../scheduler/node-groups.ts';
import { amountOf, type Amounts, type Dimension } from '../scheduler/queues/amounts.ts';
import { amountsAsked, classChoices } from '../scheduler/queues/asked-amounts.ts';
import { GpuModels } from '../scheduler/queues/gpu-models.ts';
import type { QueuedShape } from '../scheduler/queues/queue-plan-order.ts';
import type { WaitingAmounts } from '../scheduler/queues/waiting-demand.ts';
import { explainQueueStop, type QueueStop } from '../scheduler/queues/queue-usage.ts';
import type { Shape } from '../scheduler/resources.ts';
import { sliced, type Sliced } from '../scheduler/slices.ts';
import type { SnapshotNode } from '../scheduler/snapshot.ts';
import { withoutHolders, type Holder } from '../scheduler/why/holder.ts';
import { commandsFor, describeSteps } from '../scheduler/why/remedy-words.ts';
import type { FleetMoment } from '../workload/fleet-moment.ts';
import type { QueueRegime } from './queue-regime.ts';
import { alikeIn } from './queue-situation.ts';
import { groupNodes, planImagined, usageThen, type Imagined } from './queue-trial.ts';
import { amountsOfQuota, quotaOfAmounts } from './quota.ts';

/** Placements of a trial, what goes before included. */
const MAX_TRIED = 1000;
/** Limits on one path that a remedy raises together. */
const MAX_STEPS = 4;
const NOBODY: ReadonlySet<string> = new Set();
// In looks: of one live attempt that may count in the queue, of one node with what runs there, of one that
// counts.
const LOOKS_PER_CHARGE = 0.5;
const LOOKS_PER_NODE = 1;
const LOOKS_PER_HOLDER = 2;

export interface StopQuestion {
  readonly moment: FleetMoment;
  readonly workloadId: string;
  readonly stop: QueueStop;
  readonly queue: string;
  readonly shape: Shape;
  /** As others than those for whom places are kept see them. */
  readonly nodes: readonly SnapshotNode[];
  /** What waits and may be served before it. */
  readonly waiting: readonly QueuedShape[];
  /** Of all that waits. */
  readonly demand: readonly WaitingAmounts[];
  readonly ahead: number;
}

interface Question extends StopQuestion {
  readonly groups: NodeGroups;
}

/** Why a limit of its queue keeps a workload waiting, and what would help: each tried on a copy. */
export function* explainStop(asked: StopQuestion): Sliced<WaitExplanation> {
  const { stop, nodes, ahead, moment } = asked;
  const question = { ...asked, groups: yield* groupNodes(moment, nodes) };
  const enough = yield* holdersToEnd(question);
  const remedies = [
    yield* waitRemedy(question, enough),
    yield* lessRemedy(question),
    yield* raiseRemedy(question),
  ];
  return {
    reason: stop.never ? 'over-limit' : 'waiting-for-quota',
    message: explainQueueStop(stop),
    nodes: nodes.length,
    obstacles: [],
    remedies: remedies
      .filter((remedy) => remedy !== undefined)
      .toSorted((one, other) => Number(other.certain) - Number(one.certain)),
    ahead,
    start: startEstimate(question, enough),
  };
}

function* isPlaced(question: Question, change: Partial<Imagined>): Sliced<boolean> {
  const { moment, nodes, groups, waiting, demand, workloadId } = question;
  const { regime } = moment.queues;
  const as = { regime, waiting, demand, ended: NOBODY, nodes };
  const imagined = change.nodes ? { ...as, ...change } : { ...as, groups, ...change };
  const { placements } = yield* planImagined(moment, imagined, MAX_TRIED);
  return placements.some((placement) => placement.workloadId === workloadId);
}

/** Of what is counted where it is stopped, the fewest that end first and leave enough. */
function* holdersToEnd(question: Question): Sliced<readonly Holder[] | undefined> {
  const { moment, stop, nodes } = question;
  if (stop.never) return undefined;
  const counted = yield* countedIn(question);
  // Of those that end at the same time the first that was found.
  const soonest = new BinaryHeap<{ readonly holder: Holder; readonly endMs: number; readonly at: number }>(
    (one, other) => (one.endMs === other.endMs ? one.at < other.at : one.endMs < other.endMs),
  );
  yield* sliced(nodes, LOOKS_PER_NODE, ({ id }) => {
    for (const attempt of moment.workloads.liveOn(id)) {
      if ((counted.get(attempt.workloadId) ?? 0) === 0) continue;
      const holder = moment.holder(attempt);
      soonest.push({ holder, endMs: holder.endsAtMs ?? Infinity, at: soonest.size });
    }
  });
  let missing = stop.used + stop.asked - stop.allowed;
  const enough: Holder[] = [];
  for (let { first } = soonest; first && missing > 0; first = soonest.first) {
    soonest.pop();
    enough.push(first.holder);
    missing -= counted.get(first.holder.workloadId) ?? 0;
    yield LOOKS_PER_HOLDER;
  }
  return missing <= 0 ? enough : undefined;
}

/** By workload, what it counts where the one that asks is stopped. */
function* countedIn({ moment, stop }: Question): Sliced<ReadonlyMap<string, number>> {
  const { accounts, queues, workloads } = moment;
  const counted = new Map<string, number>();
  yield* sliced(accounts.charges(), LOOKS_PER_CHARGE, ([attemptId, charge]) => {
    const isBelow = queues.regime.tree.get(charge.queue).path.some(({ name }) => name === stop.queue);
    const id = isBelow ? workloads.attempt(attemptId)?.workloadId : undefined;
    if (id === undefined || (stop.rule === 'guarantee' && charge.preemptible)) return;
    counted.set(id, (counted.get(id) ?? 0) + amountOf(charge.amounts, stop.dimension));
  });
  return counted;
}

function* waitRemedy(question: Question, enough: readonly Holder[] | undefined): Sliced<Remedy | undefined> {
  if (!enough) return undefined;
  const ended = new Set(enough.map(({ workloadId }) => workloadId));
  const goneFrom = Map.groupBy(enough, ({ nodeId }) => nodeId);
  const nodes: SnapshotNode[] = [];
  yield* sliced(question.nodes, LOOKS_PER_NODE, (node) => {
    const gone = goneFrom.get(node.id);
    nodes.push(gone ? withoutHolders(node, gone) : node);
  });
  const until = enough.map(({ workloadId: workload, name, endsAtMs }) => ({
    ...{ workload, name },
    ...(endsAtMs === undefined ? {} : { endsAtMs }),
  }));
  return remedyOf(question, [{ step: 'wait', until }], yield* isPlaced(question, { ended, nodes }));
}

/** As many GPUs as the limit leaves now. */
function* lessRemedy(question: Question): Sliced<Remedy | undefined> {
  const { stop, shape, waiting, workloadId } = question;
  // Each is a whole GPU, or the part of one that a MIG instance is.
  const gpus = Math.floor((stop.allowed - stop.used) / (stop.asked / Math.max(1, shape.gpus)));
  const isOfGpus = stop.dimension.startsWith('gpu:');
  if (!isOfGpus || gpus < 1 || gpus >= shape.gpus || shape.gang || shape.gpuMilli !== undefined)
    return undefined;
  const less = { ...shape, gpus };
  const instead = waiting.flatMap((group) => {
    if (!group.workloadIds.includes(workloadId)) return [group];
    const others = group.workloadIds.filter((id) => id !== workloadId);
    const mine = { ...group, key: `${group.key} less`, shape: less, workloadIds: [workloadId], waiting: 1 };
    return others.length > 0 ? [{ ...group, workloadIds: others }, mine] : [mine];
  });
  return remedyOf(question, [{ step: 'ask-gpus', gpus }], yield* isPlaced(question, { waiting: instead }));
}

/** All the limits on its path that are too low, each by what is missing. */
function* raiseRemedy(question: Question): Sliced<Remedy | undefined> {
  const { moment, queue, shape } = question;
  let { regime } = moment.queues;
  const steps: RemedyStep[] = [];
  for (let stop = yield* stopThen(question, regime); stop; stop = yield* stopThen(question, regime)) {
    if (stop.rule !== 'limit' || steps.length >= MAX_STEPS) return undefined;
    const raised = raise(regime, stop);
    regime = raised.regime;
    steps.push({ step: 'raise-limit', queue: stop.queue, limit: raised.limit });
  }
  if (steps.length === 0 || shape.gpus < 0 || !regime.record(queue)) return undefined;
  return remedyOf(question, steps, yield* isPlaced(question, { regime }));
}

function* stopThen(
  { moment, queue, shape, groups }: Question,
  regime: QueueRegime,
): Sliced<QueueStop | undefined> {
  const usage = yield* usageThen(moment, { regime, ended: NOBODY });
  const models = new GpuModels();
  for (const { example } of alikeIn(groups)) models.add(example.gpus);
  const stops = classChoices(shape, models, regime.classes).map((choice) =>
    usage.stopOf(queue, amountsAsked(shape, choice), regime.isPreemptible(queue)),
  );
  return stops.every((stop) => stop !== undefined) ? stops[0] : undefined;
}

function raise(
  regime: QueueRegime,
  { queue, dimension, used, asked }: QueueStop,
): { readonly regime: QueueRegime; readonly limit: Quota } {
  const record = regime.record(queue) ?? { queue };
  const limit = new Map<Dimension, number>(amountsOfQuota(record.limit ?? {}) satisfies Amounts);
  limit.set(dimension, used + asked);
  const quota = quotaOfAmounts(limit);
  return { regime: regime.with({ ...record, limit: quota }), limit: quota };
}

function remedyOf({ shape }: Question, steps: RemedyStep[], certain: boolean): Remedy {
  return { steps, message: describeSteps(steps, shape), commands: [...commandsFor(steps)], certain };
}

function startEstimate(
  { stop, ahead, moment }: Question,
  enough: readonly Holder[] | undefined,
): StartEstimate {
  if (stop.never) return { estimate: 'unknown', message: 'It cannot start within the limit.' };
  const last = enough?.at(-1);
  if (!last || last.endsAtMs === undefined)
    return { estimate: 'unknown', message: 'No time limit tells when enough of the queue is given back.' };
  if (ahead > 0)
    return { estimate: 'unknown', message: 'What goes before it takes what is given back first.' };
  const fromMs = Math.max(moment.nowMs, last.endsAtMs);
  const message = 'If what runs in the queue uses all of its time, and there is room then.';
  return { estimate: 'range', fromMs, toMs: fromMs + last.graceMs, message };
}
