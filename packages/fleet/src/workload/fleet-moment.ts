import type { FleetCore } from '../fleet-core.ts';
import type { ChargeList } from '../queues/charge-list.ts';
import type { QueueState } from '../queues/queue-situation.ts';
import type { AttemptRecord, WorkloadRecord } from '../records.ts';
import type { FleetPacking } from '../scheduler/score/fleet-packing.ts';
import type { SnapshotNode } from '../scheduler/snapshot.ts';
import type { End } from '../scheduler/why/estimate-start.ts';
import type { Holder } from '../scheduler/why/holder.ts';
import type { WorkloadsThen } from './workloads-then.ts';

/**
 * What is needed of the fleet to answer a question, as it was when this was made: an answer may take several
 * turns, and is about one state all the same. To be disposed of afterwards.
 */
export class FleetMoment implements Disposable {
  readonly nowMs: number;
  /** As the scheduler sees them. */
  readonly nodes: readonly SnapshotNode[];
  /** Names of nodes that wait for approval, if there are no others. */
  readonly unapproved: readonly string[];
  readonly workloads: WorkloadsThen;
  /** What runs in the queues. */
  readonly accounts: { charges(): ChargeList };
  /** A copy. */
  readonly queues: QueueState;
  /** A copy. */
  readonly packing: FleetPacking;
  readonly #namespace: string;

  /** @param namespace of the one who asks. */
  constructor(core: FleetCore, packing: FleetPacking, namespace: string) {
    const { accounts, clock, nodes, queues, options } = core;
    const charges = accounts.charges();
    this.nowMs = clock.nowMs();
    this.nodes = nodes.snapshot();
    this.unapproved = this.nodes.length === 0 ? nodes.unapproved() : [];
    this.accounts = { charges: () => charges };
    const [history, usage] = [accounts.history.copy(), accounts.usage.copy()];
    this.queues = { regime: queues.regime, history, options, usage };
    this.packing = packing.copy();
    this.workloads = core.workloads.moment();
    this.#namespace = namespace;
  }

  [Symbol.dispose](): void {
    this.workloads[Symbol.dispose]();
  }

  readonly holdersOf = (nodeId: string): readonly Holder[] =>
    this.workloads.liveOn(nodeId).map((attempt) => this.holder(attempt));

  readonly countOf = (nodeId: string): number => this.workloads.liveCount(nodeId);

  readonly limitOf = (workloadId: string): number | undefined =>
    this.workloads.workload(workloadId)?.spec.timeoutMs;

  /** Asked for every node of the fleet. */
  readonly endsOf = (nodeId: string): readonly End[] => {
    const ends: End[] = [];
    for (const holder of this.workloads.liveOn(nodeId)) {
      const workload = this.workloads.workload(holder.workloadId);
      const atMs = workload && this.#endsAtMs(holder, workload);
      if (atMs !== undefined) ends.push({ atMs, graceMs: workload?.spec.stopGraceMs ?? 0, holder });
    }
    return ends;
  };

  /** Of others than the asker's own only that they are there. */
  readonly nameOf = (workloadId: string): string => {
    const workload = this.workloads.workload(workloadId);
    if (!workload) return workloadId;
    return workload.namespace === this.#namespace ? workload.name : `a workload of ${workload.namespace}`;
  };

  holder(attempt: AttemptRecord): Holder {
    const { workloadId, nodeId, devices, gpuMilli, cpuMilli, memoryMib } = attempt;
    const workload = this.workloads.workload(workloadId);
    const endsAtMs = workload && this.#endsAtMs(attempt, workload);
    return {
      ...{ workloadId, nodeId, devices, cpuMilli, memoryMib },
      ...(gpuMilli === undefined ? {} : { gpuMilli }),
      name: this.nameOf(workloadId),
      ...(endsAtMs === undefined ? {} : { endsAtMs }),
      graceMs: workload?.spec.stopGraceMs ?? 0,
    };
  }

  /** Nothing is known of what is out of reach; what has not begun yet is taken to begin now. */
  #endsAtMs(attempt: AttemptRecord, { spec, stopRequested }: WorkloadRecord): number | undefined {
    if (attempt.unknownSinceMs !== undefined) return undefined;
    if (stopRequested || attempt.evicted) return this.nowMs;
    return spec.timeoutMs === undefined ? undefined : (attempt.startedAtMs ?? this.nowMs) + spec.timeoutMs;
  }
}
