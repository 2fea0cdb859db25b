import {
  hasEnded,
  type AttemptView,
  type GpuConditionState,
  type NodeView,
  type WorkloadView,
} from '@clawbernetes/protocol';
import type { GpuCondition } from './node/gpu-condition.ts';
import { conditionOf, gpuName, toRelease } from './node/instance-condition.ts';
import type { AttemptRecord, BeginningAnew, NodePresence, NodeRecord, WorkloadRecord } from './records.ts';
import type { Waiting } from './scheduler/explain.ts';
import { WHOLE_GPU } from './scheduler/cluster/demand.ts';
import { migPart } from './scheduler/cluster/mig-part.ts';
import { countedMilli } from './scheduler/gpu-fit.ts';
import type { SnapshotGpu, SnapshotNode } from './scheduler/snapshot.ts';
import { gangView } from './workload/gang/gang-view.ts';
import { isEnded } from './workload/lifecycle.ts';
import { budgetsOf } from './workload/policy/next-step.ts';

export function attemptView(attempt: AttemptRecord, nodeName: string): AttemptView {
  const {
    workloadId: _w,
    namespace: _n,
    cpuMilli: _c,
    memoryMib: _m,
    revision: _r,
    logEnd: _l,
    migMilli: _p,
    ...shown
  } = attempt;
  const { devices, limitations, migMilli } = attempt;
  const parts = migMilli ? { migMilli: [...migMilli] } : {};
  return { ...shown, ...parts, devices: [...devices], limitations: [...limitations], nodeName };
}

export interface WorkloadFacts {
  readonly workload: WorkloadRecord;
  readonly attempt: AttemptRecord | undefined;
  /** Of a gang, by rank. */
  readonly members: readonly AttemptRecord[];
  readonly node: NodeRecord | undefined;
  readonly waiting: Waiting | undefined;
  /** Name of the node where it ran before, if it waits to begin anew. */
  readonly formerNode: string;
}

export function workloadView(facts: WorkloadFacts): WorkloadView {
  const { workload, attempt, node, waiting } = facts;
  const {
    idempotencyKey: _k,
    stopRequested: _s,
    nodeId: _n,
    attempts: _a,
    lastPreemptedMs: _lp,
    reclaims: _rc,
    waitsAfter: _wa,
    anew,
    tries: _t,
    gang,
    message,
    ...shown
  } = workload;
  const said = attempt?.message ?? gang?.release?.message ?? message;
  return {
    ...shown,
    ...(waiting && workload.state === 'queued' ? { waiting } : {}),
    ...(anew && workload.state === 'queued' ? { beginsAnew: anewView(anew, facts.formerNode) } : {}),
    ...budgetsView(workload),
    ...gangView(workload, facts.members),
    ...(attempt ? { attempt: attemptView(attempt, node?.name ?? attempt.nodeId) } : {}),
    ...(attempt && hasEnded(workload.state) && isEnded(attempt.state) ? endOf(attempt) : {}),
    ...(said === undefined ? {} : { message: said }),
    simulated: usesSimulatedGpus(attempt, node),
  };
}

function anewView({ policy, notBeforeMs }: BeginningAnew, formerNode: string): WorkloadView['beginsAnew'] {
  return { policy, formerNode, notBeforeMs };
}

function budgetsView(workload: WorkloadRecord): Pick<WorkloadView, 'budgets'> {
  const budgets = budgetsOf(workload);
  return Object.keys(budgets).length > 0 ? { budgets } : {};
}

function endOf(attempt: AttemptRecord): Partial<WorkloadView> {
  return {
    ...(attempt.exitCode === undefined ? {} : { exitCode: attempt.exitCode }),
    ...(attempt.signal === undefined ? {} : { signal: attempt.signal }),
    ...(attempt.endReason === undefined ? {} : { endReason: attempt.endReason }),
  };
}

function usesSimulatedGpus(attempt: AttemptRecord | undefined, node: NodeRecord | undefined): boolean {
  if (!attempt || attempt.devices.length === 0) return false;
  const used = new Set(attempt.devices);
  return node?.inventory.gpus.some((gpu) => gpu.simulated && used.has(gpu.id)) ?? false;
}

export interface NodeFacts {
  readonly node: NodeRecord;
  readonly presence: NodePresence | undefined;
  readonly snapshot: SnapshotNode;
  readonly live: readonly AttemptRecord[];
  readonly cleaning: ReadonlySet<string>;
  /** Of a workload, by id. */
  readonly nameOf: (workloadId: string) => string | undefined;
}

export type NodeSummary = Omit<NodeView, 'gpus'>;

export function nodeView(facts: NodeFacts): NodeView {
  return { ...nodeSummary(facts), gpus: gpuViews(facts) };
}

/** A node without its list of GPUs, which is most of the work for a large fleet. */
export function nodeSummary({ node, presence, snapshot, live }: NodeFacts): NodeSummary {
  const { inventory } = node;
  const usable = snapshot.gpus.filter((gpu) => gpu.usable);
  const { health, reason } = nodeHealth(node);
  return {
    id: node.id,
    name: node.name,
    approved: node.approved,
    connectivity: presence?.connectivity ?? 'disconnected',
    eligibility: node.eligibility,
    health,
    ...(reason === undefined ? {} : { healthReason: reason }),
    labels: { ...snapshot.labels },
    taints: [...(node.taints ?? [])],
    ...(node.drain && node.eligibility === 'draining' ? { drain: node.drain } : {}),
    agentVersion: node.agentVersion,
    fingerprint: node.fingerprint,
    hostname: inventory.hostname,
    cpuModel: inventory.cpu.model,
    capacity: { ...snapshot.capacity, gpus: sumOfGpus(usable) },
    free: { ...snapshot.free, gpus: sumOfGpus(usable.filter((gpu) => gpu.freeMilli === WHOLE_GPU)) },
    executors: inventory.executors,
    simulated: inventory.gpus.some((gpu) => gpu.simulated),
    attempts: live.length,
    joinedAtMs: node.joinedAtMs,
    ...(presence ? { lastSeenAtMs: presence.lastSeenAtMs } : {}),
  };
}

/** In GPUs, to the thousandth. */
function sumOfGpus(gpus: readonly SnapshotGpu[]): number {
  return gpus.reduce((sum, gpu) => sum + countedMilli(gpu), 0) / WHOLE_GPU;
}

type GpuView = NodeView['gpus'][number];

type Device = NodeRecord['inventory']['gpus'][number];
type GpusOfNode = Pick<NodeFacts, 'node' | 'live' | 'cleaning'>;

interface GpuUse {
  readonly condition: GpuCondition | undefined;
  /** Who holds it or a part of it, the oldest first. */
  readonly attempts: readonly AttemptRecord[];
  readonly isCleaning: boolean;
}

interface GpuFacts extends GpuUse {
  readonly nameOf: NodeFacts['nameOf'];
}

/** Missing ones come last, as they were when last seen. */
export function gpuViews({
  node,
  live,
  cleaning,
  nameOf,
}: Pick<NodeFacts, 'node' | 'live' | 'cleaning' | 'nameOf'>): NodeView['gpus'] {
  return gpusOf({ node, live, cleaning }, (gpu, use) => gpuView(gpu, { ...use, nameOf }));
}

/**
 * What is in which state, in thousandths of GPUs: a MIG instance counts as the part of a GPU that it is, a
 * GPU that MIG cuts up by its instances.
 */
export function gpuStates(
  facts: GpusOfNode,
): readonly { readonly state: GpuView['state']; readonly milli: number }[] {
  const all = gpusOf(facts, (gpu, use) => ({ gpu, state: gpuState(use) }));
  const cut = new Set(all.flatMap(({ gpu }) => gpu.parentId ?? []));
  const counted = all.filter(({ gpu }) => gpu.migEnabled !== true && !cut.has(gpu.id));
  return counted.map(({ gpu: { migProfile, model }, state }) => ({
    state,
    milli: migProfile === undefined ? WHOLE_GPU : migPart(migProfile, model),
  }));
}

function gpusOf<Seen>({ node, live, cleaning }: GpusOfNode, see: (gpu: Device, use: GpuUse) => Seen): Seen[] {
  const holders = new Map<string, AttemptRecord[]>();
  for (const attempt of live)
    for (const device of attempt.devices) {
      const known = holders.get(device);
      if (known) known.push(attempt);
      else holders.set(device, [attempt]);
    }
  const missing = Object.values(node.gpuConditions ?? {}).flatMap(({ device }) => device ?? []);
  return [...node.inventory.gpus, ...missing].map((gpu) =>
    see(gpu, {
      condition: conditionOf(node, gpu),
      attempts: holders.get(gpu.id) ?? [],
      isCleaning: cleaning.has(gpu.id),
    }),
  );
}

function gpuView(gpu: Device, facts: GpuFacts): GpuView {
  const { condition, attempts, nameOf } = facts;
  const [attempt] = attempts;
  const held = attempts.reduce((sum, { gpuMilli = WHOLE_GPU }) => sum + gpuMilli, 0);
  return {
    ...gpu,
    ...(gpu.migProfile === undefined ? {} : { migMilli: migPart(gpu.migProfile, gpu.model) }),
    state: gpuState(facts),
    freeMilli: Math.max(0, WHOLE_GPU - held),
    ...(attempt ? { attemptId: attempt.id, ...nameView(nameOf(attempt.workloadId)) } : {}),
    ...(attempt?.gpuMilli === undefined
      ? {}
      : { shares: attempts.map((one) => ({ ...shareView(one), ...nameView(nameOf(one.workloadId)) })) }),
    ...(condition && condition.state !== 'released'
      ? { condition: conditionView(condition, condition.state) }
      : {}),
  };
}

function shareView({ id, workloadId, gpuMilli = WHOLE_GPU }: AttemptRecord) {
  return { attemptId: id, workloadId, gpuMilli };
}

function nameView(workloadName: string | undefined) {
  return workloadName === undefined ? {} : { workloadName };
}

function gpuState({ condition, attempts, isCleaning }: GpuUse): GpuView['state'] {
  if (condition && condition.state !== 'released')
    return condition.state === 'missing' ? 'missing' : 'quarantined';
  if (attempts.length === 0) return isCleaning ? 'cleaning' : 'free';
  return attempts.some(({ state }) => state === 'running' || state === 'stopping') ? 'in-use' : 'reserved';
}

function conditionView(
  { kind, action, message, sinceMs, untilMs }: GpuCondition,
  state: GpuConditionState,
): NonNullable<GpuView['condition']> {
  return { state, kind, action, message, sinceMs, ...(untilMs === undefined ? {} : { untilMs }) };
}

/** Of its GPUs: degraded while some are out of use or unwell, quarantined or on probation when all are. */
export function nodeHealth(node: NodeRecord): { health: NodeView['health']; reason?: string } {
  // Nearly always all is well, which is told cheaply.
  const isWell = node.inventory.gpus.every(({ health }) => health.state === 'healthy');
  if (isWell && !node.gpuConditions) return { health: 'healthy' };
  const gpus = gpuViews({ node, live: [], cleaning: new Set(), nameOf: () => undefined });
  const out = gpus.filter((gpu) => gpu.condition);
  const unwell = gpus.filter((gpu) => !gpu.condition && gpu.health.state !== 'healthy');
  if (out.length + unwell.length === 0) return { health: 'healthy' };
  const told = [...out, ...unwell].filter((gpu) => !isToldOfParent(node, gpu, gpus));
  const reason = told.map((gpu) => unfitness(node, gpu)).join('; ');
  if (out.length < gpus.length) return { health: 'degraded', reason };
  const recovering = out.every(({ condition }) => condition?.state === 'probation');
  return { health: recovering ? 'probation' : 'quarantined', reason };
}

/** What is wrong with a MIG instance is told of the GPU of which it is a part. */
function isToldOfParent(node: NodeRecord, gpu: GpuView, gpus: NodeView['gpus']): boolean {
  const parent = gpus.find(({ id }) => id === gpu.parentId);
  if (!parent) return false;
  return gpu.condition ? toRelease(node, gpu) !== gpu.id : parent.health.state !== 'healthy';
}

function unfitness(node: NodeRecord, gpu: GpuView): string {
  const { condition, health } = gpu;
  const name = gpuName(node, gpu);
  if (condition)
    return `${name} is ${condition.state === 'probation' ? 'on probation' : condition.state}: ${condition.message}`;
  return `${name}: ${health.reason ?? health.state}`;
}
