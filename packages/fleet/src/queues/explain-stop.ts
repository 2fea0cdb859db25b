import type { Quota, Remedy, RemedyStep, StartEstimate, WaitExplanation } from '@clawbernetes/protocol';
import { amountOf, type Amounts, type Dimension } from '../scheduler/queues/amounts.ts';
import { amountsAsked, classChoices } from '../scheduler/queues/asked-amounts.ts';
import type { QueuedShape } from '../scheduler/queues/queue-plan-order.ts';
import { explainQueueStop, type QueueStop } from '../scheduler/queues/queue-usage.ts';
import type { Shape } from '../scheduler/resources.ts';
import type { SnapshotNode } from '../scheduler/snapshot.ts';
import { withoutHolders, type Holder } from '../scheduler/why/holder.ts';
import { commandsFor, describeSteps } from '../scheduler/why/remedy-words.ts';
import type { QueueRegime } from './queue-regime.ts';
import { planImagined, usageThen, type Imagined, type TrialDeps } from './queue-trial.ts';
import { amountsOfQuota, quotaOfAmounts } from './quota.ts';

/** Placements of a trial, what goes before included. */
const MAX_TRIED = 1000;
/** Limits on one path that a remedy raises together. */
const MAX_STEPS = 4;
const NOBODY: ReadonlySet<string> = new Set();

export interface StopQuestion {
  readonly deps: TrialDeps;
  readonly workloadId: string;
  readonly stop: QueueStop;
  readonly queue: string;
  readonly shape: Shape;
  /** As others than those for whom places are kept see them. */
  readonly nodes: readonly SnapshotNode[];
  /** All that waits. */
  readonly waiting: readonly QueuedShape[];
  /** What runs. */
  readonly holders: readonly Holder[];
  readonly ahead: number;
  readonly nowMs: number;
}

/** Why a limit of its queue keeps a workload waiting, and what would help: each tried on a copy. */
export function explainStop(question: StopQuestion): WaitExplanation {
  const { stop, nodes, ahead } = question;
  const enough = holdersToEnd(question);
  const remedies = [waitRemedy(question, enough), lessRemedy(question), raiseRemedy(question)];
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

function isPlaced(question: StopQuestion, change: Partial<Imagined>): boolean {
  const { deps, nodes, waiting, workloadId } = question;
  const { regime } = deps.core.queues;
  const { placements } = planImagined(deps, { regime, nodes, waiting, ended: NOBODY, ...change }, MAX_TRIED);
  return placements.some((placement) => placement.workloadId === workloadId);
}

/** Of what is counted where it is stopped, the fewest that end first and leave enough. */
function holdersToEnd({ deps, stop, holders }: StopQuestion): readonly Holder[] | undefined {
  if (stop.never) return undefined;
  const { accounts, queues, workloads } = deps.core;
  const counted = new Map<string, number>();
  for (const [attemptId, charge] of accounts.charges()) {
    const isBelow = queues.regime.tree.get(charge.queue).path.some(({ name }) => name === stop.queue);
    const id = workloads.attempt(attemptId)?.workloadId;
    if (!isBelow || id === undefined || (stop.rule === 'guarantee' && charge.preemptible)) continue;
    counted.set(id, (counted.get(id) ?? 0) + amountOf(charge.amounts, stop.dimension));
  }
  const soonest = holders
    .filter(({ workloadId }) => (counted.get(workloadId) ?? 0) > 0)
    .toSorted((one, other) => (one.endsAtMs ?? Infinity) - (other.endsAtMs ?? Infinity));
  let missing = stop.used + stop.asked - stop.allowed;
  const enough: Holder[] = [];
  for (const holder of soonest) {
    if (missing <= 0) break;
    enough.push(holder);
    missing -= counted.get(holder.workloadId) ?? 0;
  }
  return missing <= 0 ? enough : undefined;
}

function waitRemedy(question: StopQuestion, enough: readonly Holder[] | undefined): Remedy | undefined {
  if (!enough) return undefined;
  const ended = new Set(enough.map(({ workloadId }) => workloadId));
  const nodes = question.nodes.map((node) => {
    const gone = enough.filter(({ nodeId }) => nodeId === node.id);
    return gone.length > 0 ? withoutHolders(node, gone) : node;
  });
  const until = enough.map(({ workloadId: workload, name, endsAtMs }) => ({
    ...{ workload, name },
    ...(endsAtMs === undefined ? {} : { endsAtMs }),
  }));
  return remedyOf(question, [{ step: 'wait', until }], isPlaced(question, { ended, nodes }));
}

/** As many GPUs as the limit leaves now. */
function lessRemedy(question: StopQuestion): Remedy | undefined {
  const { stop, shape, waiting, workloadId } = question;
  const gpus = Math.floor((stop.allowed - stop.used) / 1000);
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
  return remedyOf(question, [{ step: 'ask-gpus', gpus }], isPlaced(question, { waiting: instead }));
}

/** All the limits on its path that are too low, each by what is missing. */
function raiseRemedy(question: StopQuestion): Remedy | undefined {
  const { deps, queue, shape } = question;
  let { regime } = deps.core.queues;
  const steps: RemedyStep[] = [];
  for (let stop = stopThen(question, regime); stop; stop = stopThen(question, regime)) {
    if (stop.rule !== 'limit' || steps.length >= MAX_STEPS) return undefined;
    const raised = raise(regime, stop);
    regime = raised.regime;
    steps.push({ step: 'raise-limit', queue: stop.queue, limit: raised.limit });
  }
  if (steps.length === 0 || shape.gpus < 0 || !regime.record(queue)) return undefined;
  return remedyOf(question, steps, isPlaced(question, { regime }));
}

function stopThen({ deps, queue, shape, nodes }: StopQuestion, regime: QueueRegime): QueueStop | undefined {
  const usage = usageThen(deps, { regime, ended: NOBODY });
  const models = new Set(nodes.flatMap(({ gpus }) => gpus.map(({ model }) => model)));
  const stops = classChoices(shape, models, regime.classes).map(({ gpuClass }) =>
    usage.stopOf(queue, amountsAsked(shape, gpuClass), regime.isPreemptible(queue)),
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

function remedyOf({ shape }: StopQuestion, steps: RemedyStep[], certain: boolean): Remedy {
  return { steps, message: describeSteps(steps, shape), commands: [...commandsFor(steps)], certain };
}

function startEstimate(
  { stop, ahead, nowMs }: StopQuestion,
  enough: readonly Holder[] | undefined,
): StartEstimate {
  if (stop.never) return { estimate: 'unknown', message: 'It cannot start within the limit.' };
  const last = enough?.at(-1);
  if (!last || last.endsAtMs === undefined)
    return { estimate: 'unknown', message: 'No time limit tells when enough of the queue is given back.' };
  if (ahead > 0)
    return { estimate: 'unknown', message: 'What goes before it takes what is given back first.' };
  const fromMs = Math.max(nowMs, last.endsAtMs);
  const message = 'If what runs in the queue uses all of its time, and there is room then.';
  return { estimate: 'range', fromMs, toMs: fromMs + last.graceMs, message };
}
