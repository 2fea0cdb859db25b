import type { AttemptView, NodeView, WorkloadView } from '@clawbernetes/protocol';
import type { AttemptRecord, NodePresence, NodeRecord, WorkloadRecord } from './records.ts';
import type { Waiting } from './scheduler/explain.ts';
import type { SnapshotNode } from './scheduler/snapshot.ts';
import { isEnded } from './workload/lifecycle.ts';

export function attemptView(attempt: AttemptRecord, nodeName: string): AttemptView {
  const {
    workloadId: _w,
    namespace: _n,
    cpuMilli: _c,
    memoryMib: _m,
    revision: _r,
    logEnd: _l,
    ...shown
  } = attempt;
  return { ...shown, devices: [...attempt.devices], limitations: [...attempt.limitations], nodeName };
}

export interface WorkloadFacts {
  readonly workload: WorkloadRecord;
  readonly attempt: AttemptRecord | undefined;
  readonly node: NodeRecord | undefined;
  readonly waiting: Waiting | undefined;
}

export function workloadView({ workload, attempt, node, waiting }: WorkloadFacts): WorkloadView {
  const { idempotencyKey: _k, stopRequested: _s, nodeId: _n, attempts: _a, message, ...shown } = workload;
  const said = attempt?.message ?? message;
  return {
    ...shown,
    ...(waiting && workload.state === 'queued' ? { waiting } : {}),
    ...(attempt ? { attempt: attemptView(attempt, node?.name ?? attempt.nodeId) } : {}),
    ...(attempt && isEnded(attempt.state) ? endOf(attempt) : {}),
    ...(said === undefined ? {} : { message: said }),
    simulated: usesSimulatedGpus(attempt, node),
  };
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
}

export type NodeSummary = Omit<NodeView, 'gpus'>;

export function nodeView(facts: NodeFacts): NodeView {
  return { ...nodeSummary(facts), gpus: gpuViews(facts.node, facts.live) };
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
    agentVersion: node.agentVersion,
    fingerprint: node.fingerprint,
    hostname: inventory.hostname,
    cpuModel: inventory.cpu.model,
    capacity: { ...snapshot.capacity, gpus: usable.length },
    free: { ...snapshot.free, gpus: usable.filter((gpu) => gpu.free).length },
    executors: inventory.executors,
    simulated: inventory.gpus.some((gpu) => gpu.simulated),
    attempts: live.length,
    joinedAtMs: node.joinedAtMs,
    ...(presence ? { lastSeenAtMs: presence.lastSeenAtMs } : {}),
  };
}

export function gpuViews({ inventory }: NodeRecord, live: readonly AttemptRecord[]): NodeView['gpus'] {
  const holder = new Map(
    live.flatMap((attempt) => attempt.devices.map((device) => [device, attempt] as const)),
  );
  return inventory.gpus.map((gpu) => {
    const attempt = holder.get(gpu.id);
    if (attempt) {
      const state = attempt.state === 'running' || attempt.state === 'stopping' ? 'in-use' : 'reserved';
      return { ...gpu, state, attemptId: attempt.id };
    }
    return { ...gpu, state: gpu.health.state === 'unhealthy' ? 'quarantined' : 'free' };
  });
}

function nodeHealth({ inventory }: NodeRecord): { health: NodeView['health']; reason?: string } {
  const sick = inventory.gpus.filter((gpu) => gpu.health.state !== 'healthy');
  if (sick.length === 0) return { health: 'healthy' };
  const reason = sick.map((gpu) => `GPU ${gpu.index}: ${gpu.health.reason ?? gpu.health.state}`).join('; ');
  const allUnfit =
    sick.length === inventory.gpus.length && sick.every((gpu) => gpu.health.state === 'unhealthy');
  return { health: allUnfit ? 'unhealthy' : 'degraded', reason };
}
