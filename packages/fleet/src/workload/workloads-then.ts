import type { AttemptRecord, WorkloadRecord } from '../records.ts';
import type { WorkloadTable } from './workload-table.ts';

type Table = Pick<WorkloadTable, 'workload' | 'attempt' | 'liveOn' | 'liveCount' | 'members'>;

/**
 * Workloads and what runs, as they were at a moment. Nothing is copied: what changes afterwards is put aside
 * just before it does, so it costs as much as there are changes while somebody reads it.
 */
export class WorkloadsThen implements Disposable {
  readonly #table: Table;
  readonly #onClose: () => void;
  readonly #workloads = new Map<string, WorkloadRecord | undefined>();
  readonly #attempts = new Map<string, AttemptRecord | undefined>();
  /** By node. */
  readonly #live = new Map<string, readonly AttemptRecord[]>();
  /** By gang. */
  readonly #members = new Map<string, readonly AttemptRecord[]>();

  constructor(table: Table, onClose: () => void) {
    this.#table = table;
    this.#onClose = onClose;
  }

  [Symbol.dispose](): void {
    this.#onClose();
  }

  /** It is about to change. */
  keepWorkload(id: string): void {
    if (!this.#workloads.has(id)) this.#workloads.set(id, this.#table.workload(id));
  }

  /** It is about to change, or to come into being. */
  keepAttempt({ id, workloadId, nodeId, rank }: AttemptRecord): void {
    if (!this.#live.has(nodeId)) this.#live.set(nodeId, this.#table.liveOn(nodeId));
    if (!this.#attempts.has(id)) this.#attempts.set(id, this.#table.attempt(id));
    if (rank !== undefined && !this.#members.has(workloadId))
      this.#members.set(workloadId, [...this.#table.members(workloadId)]);
  }

  workload(id: string): WorkloadRecord | undefined {
    return this.#workloads.has(id) ? this.#workloads.get(id) : this.#table.workload(id);
  }

  attempt(id: string): AttemptRecord | undefined {
    return this.#attempts.has(id) ? this.#attempts.get(id) : this.#table.attempt(id);
  }

  liveOn(nodeId: string): readonly AttemptRecord[] {
    return this.#live.get(nodeId) ?? this.#table.liveOn(nodeId);
  }

  liveCount(nodeId: string): number {
    return this.#live.get(nodeId)?.length ?? this.#table.liveCount(nodeId);
  }

  isCurrentMember({ id, workloadId, rank }: AttemptRecord): boolean {
    const members = this.#members.get(workloadId) ?? this.#table.members(workloadId);
    return rank !== undefined && members[rank]?.id === id;
  }
}
