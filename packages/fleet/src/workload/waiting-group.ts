import type { GroupStop, QueuedShape } from '../scheduler/queues/queue-plan-order.ts';
import type { Shape } from '../scheduler/resources.ts';
import type { WorkloadRecord } from '../records.ts';
import type { InLine } from './turn-line.ts';
import { WaitingLine } from './waiting-line.ts';

type GroupFacts = Pick<WaitingGroup, 'key' | 'number' | 'shape' | 'queue' | 'priority'>;

/** Workloads that wait in one queue with one priority and ask for the same. */
export class WaitingGroup implements InLine {
  readonly key: string;
  readonly number: number;
  readonly shape: Shape;
  readonly queue: string;
  readonly priority: number;
  readonly workloads = new WaitingLine();
  /** Of its oldest. */
  sinceMs = 0;
  /** A limit that keeps it from starting. */
  stop?: GroupStop;

  constructor({ key, number, shape, queue, priority }: GroupFacts) {
    this.key = key;
    this.number = number;
    this.shape = shape;
    this.queue = queue;
    this.priority = priority;
  }

  add(workload: WorkloadRecord): void {
    this.workloads.add(workload);
    this.#follow();
  }

  delete(workloadId: string): void {
    this.workloads.delete(workloadId);
    this.#follow();
  }

  /** @param limit workloads that are told one by one. */
  queued(limit: number): QueuedShape {
    const { key, shape, queue, priority, sinceMs, workloads } = this;
    const workloadIds: string[] = [];
    // Without `take`: this is asked for often.
    for (const id of limit === 0 ? [] : workloads.ids()) {
      if (workloadIds.length >= limit) break;
      workloadIds.push(id);
    }
    return { key, shape, queue, priority, workloadIds, sinceMs, waiting: workloads.size };
  }

  #follow(): void {
    this.sinceMs = this.workloads.first?.submittedAtMs ?? 0;
  }
}

export function* idsBefore(ids: Iterable<string>, end: string | undefined): Generator<string> {
  for (const id of ids) {
    if (id === end) return;
    yield id;
  }
}
