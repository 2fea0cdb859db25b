import type { WorkloadState } from '@clawbernetes/protocol';
import type { WorkloadRecord } from '../records.ts';

type Counted = Pick<WorkloadRecord, 'namespace' | 'state'>;

/** How many workloads are in each state, by namespace. */
export class StateCounts {
  readonly #byNamespace = new Map<string, Map<WorkloadState, number>>();

  add({ namespace, state }: Counted): void {
    this.#change(namespace, state, 1);
  }

  remove({ namespace, state }: Counted): void {
    this.#change(namespace, state, -1);
  }

  /** States in which there are none are not told. */
  of(namespace: string): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#byNamespace.get(namespace) ?? []);
  }

  #change(namespace: string, state: WorkloadState, by: number): void {
    const counts = this.#byNamespace.get(namespace) ?? new Map<WorkloadState, number>();
    const count = (counts.get(state) ?? 0) + by;
    if (count === 0) counts.delete(state);
    else counts.set(state, count);
    if (counts.size === 0) this.#byNamespace.delete(namespace);
    else this.#byNamespace.set(namespace, counts);
  }
}
