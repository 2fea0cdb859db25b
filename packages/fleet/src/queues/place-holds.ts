import { WHOLE_GPU } from '../scheduler/cluster/demand.ts';
import { milliOf, withFree } from '../scheduler/gpu-fit.ts';
import type { PlacedMember, PlacementTrace } from '../scheduler/placement.ts';
import type { TimedUse } from '../scheduler/calendar/calendar-reservation.ts';
import type { Amounts } from '../scheduler/queues/amounts.ts';
import type { Span } from '../scheduler/queues/reservation.ts';
import type { Shape } from '../scheduler/resources.ts';
import type { SnapshotNode } from '../scheduler/snapshot.ts';
import { isEnded } from '../workload/lifecycle.ts';
import type { WorkloadTable } from '../workload/workload-table.ts';

/** A place on a node that is kept for a workload that waits, or for one member of it. */
export interface PlaceHold {
  readonly workloadId: string;
  /**
   * `preemption`: others make room for it. `blocked`: those that run there end in time by their limits.
   * `restart`: it was there, and begins anew.
   */
  readonly kind: 'preemption' | 'blocked' | 'restart';
  readonly queue: string;
  /** What it will count in its queue. */
  readonly amounts: Amounts;
  readonly nodeId: string;
  readonly shape: Shape;
  readonly devices: readonly string[];
  /** Of a gang: which member it is. */
  readonly member?: PlacedMember & { readonly trace: PlacementTrace };
  /** Attempts that end first. */
  readonly awaits: readonly string[];
  /** When it starts at the latest, if they end by their limits; wall clock. */
  readonly startMs: number;
  /** Given up then; monotonic clock. */
  readonly untilMs: number;
}

/** Who looks at a node, where it is not the one for whom a place is kept, or not now. */
export interface Looking {
  /** Another workload, or something that is used like this. */
  readonly use?: string | TimedUse;
  /** What is kept from then on does not matter yet. */
  readonly span?: Span;
}

type WithoutReserved = (view: SnapshotNode, use: string | TimedUse | undefined, span?: Span) => SnapshotNode;

const NO_HOLDS: readonly PlaceHold[] = [];

/** Places that are kept. Nothing of them is stored: after a restart they are found anew. */
export class PlaceHolds {
  readonly #workloads: Pick<WorkloadTable, 'attempt'>;
  readonly #onFreed: (nodeId: string) => void;
  readonly #unreserved: WithoutReserved;
  /** Of a gang by rank. */
  readonly #byWorkload = new Map<string, readonly PlaceHold[]>();
  readonly #onNode = new Map<string, PlaceHold[]>();

  /**
   * @param onFreed a place on this node is kept no more: others may have room there now. @param unreserved
   * takes what reservations keep out of a node.
   */
  constructor(
    workloads: Pick<WorkloadTable, 'attempt'>,
    onFreed: (nodeId: string) => void,
    unreserved: WithoutReserved,
  ) {
    this.#workloads = workloads;
    this.#onFreed = onFreed;
    this.#unreserved = unreserved;
  }

  /** Workloads for which places are kept. */
  get size(): number {
    return this.#byWorkload.size;
  }

  all(): readonly PlaceHold[] {
    return [...this.#byWorkload.values()].flat();
  }

  /** Those that nothing counts yet: what restarts counts itself until it has ended. */
  *uncounted(): Generator<PlaceHold, void, undefined> {
    for (const hold of this.all())
      if (hold.kind !== 'restart' || hold.awaits.every((id) => this.#hasEnded(id))) yield hold;
  }

  /** Of a gang that of rank 0. */
  of(workloadId: string): PlaceHold | undefined {
    return this.#byWorkload.get(workloadId)?.[0];
  }

  /** One list for each workload; of a gang by rank. */
  byWorkload(): readonly (readonly PlaceHold[])[] {
    return [...this.#byWorkload.values()];
  }

  on(nodeId: string): readonly PlaceHold[] {
    return this.#onNode.get(nodeId) ?? NO_HOLDS;
  }

  /** All those of one workload: they take the place of what was kept for it. */
  keep(...holds: readonly PlaceHold[]): void {
    const [first] = holds;
    if (!first) return;
    this.release(first.workloadId);
    this.#byWorkload.set(first.workloadId, holds);
    for (const hold of holds) this.#onNode.set(hold.nodeId, [...this.on(hold.nodeId), hold]);
  }

  release(workloadId: string): void {
    const holds = this.#byWorkload.get(workloadId) ?? NO_HOLDS;
    this.#byWorkload.delete(workloadId);
    for (const nodeId of new Set(holds.map((hold) => hold.nodeId))) {
      const rest = this.on(nodeId).filter((one) => one.workloadId !== workloadId);
      if (rest.length > 0) this.#onNode.set(nodeId, rest);
      else this.#onNode.delete(nodeId);
      this.#onFreed(nodeId);
    }
  }

  /** The node as all others see it, or as `owner` does: less what is kept or reserved there. */
  masked(view: SnapshotNode, owner?: string, { use = owner, span }: Looking = {}): SnapshotNode {
    let node = view;
    for (const hold of this.on(view.id)) {
      if (hold.workloadId === owner || (span && hold.startMs >= span.toMs)) continue;
      node = this.#without(node, hold);
    }
    return this.#unreserved(node, use, span);
  }

  #hasEnded(attemptId: string): boolean {
    const attempt = this.#workloads.attempt(attemptId);
    return !attempt || isEnded(attempt.state);
  }

  /** What is awaited comes back to the place that is kept, so only the rest is taken from what is free. */
  #without(node: SnapshotNode, { shape, devices, awaits }: PlaceHold): SnapshotNode {
    let [cpuMilli, memoryMib] = [shape.cpuMilli, shape.memoryMib];
    for (const id of awaits) {
      const attempt = this.#workloads.attempt(id);
      if (!attempt || isEnded(attempt.state)) continue;
      cpuMilli -= attempt.cpuMilli;
      memoryMib -= attempt.memoryMib;
    }
    const kept = new Set(devices);
    const milli = milliOf(shape);
    return {
      ...node,
      isMasked: true,
      free: {
        cpuMilli: node.free.cpuMilli - Math.max(0, cpuMilli),
        memoryMib: node.free.memoryMib - Math.max(0, memoryMib),
      },
      gpus: node.gpus.map((gpu) =>
        kept.has(gpu.id) ? withFree(gpu, Math.min(WHOLE_GPU, Math.max(0, gpu.freeMilli - milli))) : gpu,
      ),
    };
  }
}
