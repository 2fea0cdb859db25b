import { shapeKey, shapeOf, type Shape } from '../scheduler/resources.ts';
import type { PendingShape } from '../scheduler/plan.ts';
import type { Waiting } from '../scheduler/explain.ts';
import type { WorkloadRecord } from '../records.ts';

interface Group {
  readonly key: string;
  readonly shape: Shape;
  /** In order of submission. */
  readonly workloads: Map<string, WorkloadRecord>;
  waiting: Waiting | undefined;
}

/**
 * Workloads that wait for a place, grouped by shape: one of a shape that fits nowhere answers for all its
 * twins.
 */
export class PendingQueue {
  readonly #groups = new Map<string, Group>();
  readonly #groupOf = new Map<string, Group>();

  get size(): number {
    return this.#groupOf.size;
  }

  add(workload: WorkloadRecord): void {
    const shape = shapeOf(workload.spec, workload.nodeId);
    const key = shapeKey(shape);
    const group = this.#groups.get(key) ?? { key, shape, workloads: new Map(), waiting: undefined };
    this.#groups.set(key, group);
    group.workloads.set(workload.id, workload);
    this.#groupOf.set(workload.id, group);
  }

  remove(workloadId: string): void {
    const group = this.#groupOf.get(workloadId);
    group?.workloads.delete(workloadId);
    this.#groupOf.delete(workloadId);
    if (group?.workloads.size === 0) this.#groups.delete(group.key);
  }

  /** The shapes, the one that has waited longest first, with at most `limit` workloads of each. */
  pending(limit: number): readonly PendingShape[] {
    return Array.from(this.#groups.values(), ({ key, shape, workloads }) => ({
      key,
      shape,
      workloadIds: [...workloads.keys().take(limit)],
      sinceMs: workloads.values().next().value?.submittedAtMs ?? 0,
    })).toSorted((left, right) => left.sinceMs - right.sinceMs);
  }

  /** Takes over why shapes wait. */
  explain(waiting: ReadonlyMap<string, Waiting>): void {
    for (const [key, reason] of waiting) {
      const group = this.#groups.get(key);
      if (group) group.waiting = reason;
    }
  }

  waiting(workloadId: string): Waiting | undefined {
    return this.#groupOf.get(workloadId)?.waiting;
  }
}
