import type { Obstacle, RemedyStep } from '@clawbernetes/protocol';
import { memoryOf, suits } from '../gpu-fit.ts';
import { describeTaint, describeTerm } from '../node-constraints.ts';
import type { Shape } from '../resources.ts';
import { NODE_NAME_LABEL, type SnapshotGpu, type SnapshotNode } from '../snapshot.ts';
import { inOrder } from './obstacle.ts';
import type { Situation } from './situation.ts';
import { holdersToWaitFor } from './wait-for.ts';

export interface Cure {
  readonly step: RemedyStep;
  /** How big a change it is; the smallest is told first. */
  readonly cost: number;
  /** The situation after it. */
  readonly after: Situation;
}

/**
 * What may be changed: `fewer` asks for less, `other` for something else, `fleet` changes the node or waits.
 */
export const APPROACHES = ['fewer', 'other', 'fleet'] as const;
export type Approach = (typeof APPROACHES)[number];

/** One step by which this obstacle goes away; undefined if there is none. */
export function cureFor(situation: Situation, obstacle: Obstacle, approach: Approach): Cure | undefined {
  const asking = (): Cure | undefined => askOtherwise(situation, obstacle, approach);
  const changing = (): Cure | undefined => changeNode(situation, obstacle);
  return approach === 'fleet' ? (changing() ?? asking()) : (asking() ?? changing());
}

function askOtherwise(situation: Situation, obstacle: Obstacle, approach: Approach): Cure | undefined {
  switch (obstacle.code) {
    case 'other-node':
      return situation.shape.nodeId === undefined ? askLabel(situation, NODE_NAME_LABEL) : undefined;
    case 'label':
      return askLabel(situation, (obstacle.what ?? '').split('=', 1).join(''));
    case 'affinity':
      return askAffinity(situation, obstacle);
    case 'sandbox':
      return ask(situation, { sandboxRequired: false }, { step: 'ask-sandbox' }, 4);
    case 'cpu':
    case 'cpu-in-use':
      return askCpu(situation, obstacle);
    case 'memory':
    case 'memory-in-use':
      return askMemory(situation, obstacle);
    case 'gpu-model':
      return approach === 'other' ? askKind(situation) : (askGpus(situation, obstacle) ?? askKind(situation));
    case 'gpu-count':
    case 'gpu-health':
    case 'gpus-apart':
    case 'gpus-apart-in-use':
    case 'gpus-in-use':
      return askGpus(situation, obstacle);
    case 'gpu-share-in-use':
      return askShare(situation, obstacle);
    case 'mig-profile':
      return approach === 'other' ? askMig(situation) : (askGpus(situation, obstacle) ?? askMig(situation));
    case 'nvlink':
    case 'nvlink-in-use':
      return approach === 'other' ? askNoNvlink(situation) : askGpus(situation, obstacle);
    case 'taint':
      return tolerate(situation, obstacle);
    case 'reserved':
      return approach === 'other' ? waitForReservation(situation) : endBefore(situation);
    case 'executor':
    case 'cordoned':
    case 'draining':
    case 'unreachable':
    case 'not-ready':
      return undefined;
  }
}

function changeNode(situation: Situation, obstacle: Obstacle): Cure | undefined {
  switch (obstacle.code) {
    case 'label':
      return labelNode(situation, obstacle);
    case 'gpu-health':
      return releaseGpus(situation);
    case 'taint':
      return untaint(situation, obstacle);
    case 'cordoned':
      return change(situation, { schedulable: true }, { step: 'uncordon' }, 1.5);
    case 'draining':
      return change(situation, { schedulable: true }, { step: 'uncordon' }, 2.5);
    case 'unreachable':
    case 'not-ready':
      return change(situation, { schedulable: true }, { step: 'reconnect' }, 3);
    case 'reserved':
      return deleteReservations(situation);
    case 'gpus-in-use':
    case 'gpu-share-in-use':
    case 'nvlink-in-use':
    case 'gpus-apart-in-use':
    case 'cpu-in-use':
    case 'memory-in-use':
      return wait(situation);
    case 'other-node':
    case 'affinity':
    case 'executor':
    case 'sandbox':
    case 'cpu':
    case 'memory':
    case 'gpu-count':
    case 'mig-profile':
    case 'gpu-model':
    case 'nvlink':
    case 'gpus-apart':
      return undefined;
  }
}

function ask(situation: Situation, shape: Partial<Shape>, step: RemedyStep, cost: number): Cure {
  return { step, cost, after: { ...situation, shape: { ...situation.shape, ...shape } } };
}

/** Cost of asking for less, by the share that is given up. */
function costOfLess({ needs = 1, has = 0 }: Obstacle): number {
  return 1 + (2 * (needs - has)) / needs;
}

/** Less than this cannot be asked for; see workloadSpecSchema. */
const MIN_CPU_MILLI = 10;
const MIN_MEMORY_MIB = 4;

function askCpu(situation: Situation, obstacle: Obstacle): Cure | undefined {
  const { has: cpuMilli = 0 } = obstacle;
  if (cpuMilli < MIN_CPU_MILLI) return undefined;
  return ask(situation, { cpuMilli }, { step: 'ask-cpu', cpuMilli }, costOfLess(obstacle));
}

function askMemory(situation: Situation, obstacle: Obstacle): Cure | undefined {
  const { has: memoryMib = 0 } = obstacle;
  if (memoryMib < MIN_MEMORY_MIB) return undefined;
  return ask(situation, { memoryMib }, { step: 'ask-memory', memoryMib }, costOfLess(obstacle));
}

function askGpus(situation: Situation, obstacle: Obstacle): Cure | undefined {
  const { has: gpus = 0 } = obstacle;
  if (gpus < 1) return undefined;
  return ask(situation, { gpus }, { step: 'ask-gpus', gpus }, costOfLess(obstacle));
}

function askShare(situation: Situation, obstacle: Obstacle): Cure | undefined {
  const { has: gpuMilli = 0 } = obstacle;
  if (gpuMilli < 1) return undefined;
  return ask(situation, { gpuMilli }, { step: 'ask-gpu-share', gpuMilli }, costOfLess(obstacle));
}

/** The profile of which the node has the most instances. */
function askMig(situation: Situation): Cure | undefined {
  const { node, shape } = situation;
  const others = node.gpus.flatMap(({ migProfile }) => migProfile ?? []);
  const migProfile = mostFrequent(others.filter((profile) => profile !== shape.migProfile));
  return migProfile === undefined
    ? undefined
    : ask(situation, { migProfile }, { step: 'ask-mig', migProfile }, 2);
}

function askNoNvlink(situation: Situation): Cure {
  return ask(situation, { nvlink: 'preferred' }, { step: 'ask-nvlink' }, 2);
}

/** The GPUs that the node has instead: of another model, or with less memory. */
function askKind(situation: Situation): Cure | undefined {
  const { node, shape } = situation;
  const usable = node.gpus.filter((gpu) => gpu.usable);
  const others = usable.filter((gpu) => suits(gpu, { ...shape, gpuModels: [] }) && !suits(gpu, shape));
  const model = mostFrequent(others.map((gpu) => gpu.model));
  if (model !== undefined && shape.gpuModels.length > 0) {
    const gpuModels = [...shape.gpuModels, model.toLowerCase()];
    return ask(situation, { gpuModels }, { step: 'ask-model', gpuModels: [model] }, 2);
  }
  return askGpuMemory(situation, usable);
}

function askGpuMemory(situation: Situation, usable: readonly SnapshotGpu[]): Cure | undefined {
  const { shape } = situation;
  const sizes = usable
    .filter((gpu) => suits(gpu, { ...shape, minGpuMemoryMib: 0 }))
    .map((gpu) => memoryOf(gpu, shape))
    .toSorted((left, right) => right - left);
  const minGpuMemoryMib = sizes[Math.min(shape.gpus, sizes.length) - 1];
  if (minGpuMemoryMib === undefined || minGpuMemoryMib >= shape.minGpuMemoryMib) return undefined;
  return ask(situation, { minGpuMemoryMib }, { step: 'ask-gpu-memory', minGpuMemoryMib }, 2);
}

function mostFrequent(models: readonly string[]): string | undefined {
  const groups = [...Map.groupBy(models, (model) => model)];
  return groups.toSorted(([, left], [, right]) => right.length - left.length)[0]?.[0];
}

function askLabel(situation: Situation, label: string): Cure {
  const { [label]: _, ...nodeSelector } = situation.shape.nodeSelector;
  return ask(situation, { nodeSelector }, { step: 'ask-label', label }, 3);
}

function askAffinity(situation: Situation, { what = '' }: Obstacle): Cure | undefined {
  const { affinity } = situation.shape;
  if (!affinity) return undefined;
  const required = affinity.required.filter((term) => describeTerm(term) !== what);
  return ask(situation, { affinity: { ...affinity, required } }, { step: 'ask-affinity', label: what }, 3);
}

function tolerate(situation: Situation, { what }: Obstacle): Cure | undefined {
  const taint = situation.node.taints?.find((one) => describeTaint(one) === what);
  if (!taint) return undefined;
  const added = { key: taint.key, value: taint.value, effect: taint.effect };
  const tolerations = [...(situation.shape.tolerations ?? []), added];
  return ask(situation, { tolerations }, { step: 'tolerate', tolerations: [added] }, 3);
}

function change(situation: Situation, node: Partial<SnapshotNode>, step: RemedyStep, cost: number): Cure {
  const named = { ...step, node: situation.node.name };
  return { step: named, cost, after: { ...situation, node: { ...situation.node, ...node } } };
}

/** A label that the node has with another value says something of it that stays true. */
function labelNode(situation: Situation, { what = '' }: Obstacle): Cure | undefined {
  const { labels } = situation.node;
  const wanted = Object.entries(situation.shape.nodeSelector).find(
    ([key, text]) => `${key}=${text}` === what,
  );
  if (!wanted || Object.hasOwn(labels, wanted[0])) return undefined;
  const [label, value] = wanted;
  return change(
    situation,
    { labels: { ...labels, [label]: value } },
    { step: 'label-node', label, value },
    4,
  );
}

function untaint(situation: Situation, { what = '' }: Obstacle): Cure {
  const taints = (situation.node.taints ?? []).filter((taint) => describeTaint(taint) !== what);
  return change(situation, { taints }, { step: 'untaint', taints: [what] }, 3.5);
}

function releaseGpus(situation: Situation): Cure {
  const { gpus } = situation.node;
  const out = gpus.filter((gpu) => gpu.outOfUse !== undefined);
  const gpuIds = [...new Set(out.map((gpu) => gpu.outWith ?? gpu.id))];
  return change(situation, { gpus: gpus.map(inOrder) }, { step: 'release-gpu', gpuIds }, 3);
}

function wait(situation: Situation): Cure | undefined {
  const found = holdersToWaitFor(situation);
  if (!found) return undefined;
  const until = found.ended.map(({ workloadId: workload, name, endsAtMs }) => ({
    ...{ workload, name },
    ...(endsAtMs === undefined ? {} : { endsAtMs }),
  }));
  const endless = found.ended.some(({ endsAtMs }) => endsAtMs === undefined);
  const cost = 1 + 0.2 * (until.length - 1) + (endless ? 0.5 : 0);
  const step: RemedyStep = { step: 'wait', node: situation.node.name, until };
  const gone = new Set(found.ended);
  const holders = situation.holders.filter((holder) => !gone.has(holder));
  return { step, cost, after: { ...situation, node: found.node, holders } };
}

/** Between the end of its time and the start of a reservation, for its grace and its beginning, ms. */
const MARGIN_MS = 60_000;
const MINUTE_MS = 60_000;

/** With a time limit it may use what is reserved until then. */
function endBefore({ node, ...situation }: Situation): Cure | undefined {
  const { reserved } = node;
  if (!reserved) return undefined;
  const leftMs = Math.min(...reserved.by.map(({ startMs }) => startMs)) - reserved.atMs - MARGIN_MS;
  const timeoutMs = Math.floor(leftMs / MINUTE_MS) * MINUTE_MS;
  if (timeoutMs < MINUTE_MS) return undefined;
  return {
    step: { step: 'ask-timeout', timeoutMs },
    cost: 2,
    after: { ...situation, node: reserved.without },
  };
}

function waitForReservation({ node, ...situation }: Situation): Cure | undefined {
  const { reserved } = node;
  if (!reserved) return undefined;
  const last = reserved.by.reduce((latest, span) => (span.untilMs > latest.untilMs ? span : latest));
  const step: RemedyStep = { step: 'wait-reservation', reservations: [last.name], endsAtMs: last.untilMs };
  return { step, cost: 2.2, after: { ...situation, node: reserved.without } };
}

function deleteReservations({ node, ...situation }: Situation): Cure | undefined {
  const { reserved } = node;
  if (!reserved) return undefined;
  const reservations = reserved.by.map(({ name }) => name);
  return {
    step: { step: 'delete-reservation', reservations },
    cost: 3.5,
    after: { ...situation, node: reserved.without },
  };
}
