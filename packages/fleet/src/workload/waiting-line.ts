import type { WorkloadRecord } from '../records.ts';

type Waiting = Pick<WorkloadRecord, 'id' | 'submittedAtMs'>;

/**
 * Workloads that wait, the one that was submitted first before the others: also one that had a place and
 * comes back, which is no work in proportion to how many wait.
 */
export class WaitingLine {
  /** As they came, each submitted no earlier than those before it. */
  readonly #arrived = new Map<string, WorkloadRecord>();
  #newestMs = -Infinity;
  /** Those that came later than they should have, in order, and by id. */
  readonly #returned: WorkloadRecord[] = [];
  readonly #returnedById = new Map<string, WorkloadRecord>();

  get size(): number {
    return this.#arrived.size + this.#returned.length;
  }

  get first(): WorkloadRecord | undefined {
    const [arrived, returned] = [this.#arrived.values().next().value, this.#returned[0]];
    return arrived && returned ? earlier(returned, arrived) : (arrived ?? returned);
  }

  add(workload: WorkloadRecord): void {
    this.delete(workload.id);
    if (workload.submittedAtMs >= this.#newestMs) {
      this.#newestMs = workload.submittedAtMs;
      this.#arrived.set(workload.id, workload);
      return;
    }
    this.#returned.splice(this.#placeOf(workload), 0, workload);
    this.#returnedById.set(workload.id, workload);
  }

  delete(id: string): void {
    this.#arrived.delete(id);
    const returned = this.#returnedById.get(id);
    if (returned) this.#returned.splice(this.#placeOf(returned), 1);
    this.#returnedById.delete(id);
    if (this.size === 0) this.#newestMs = -Infinity;
  }

  /** Ids in order. */
  *ids(): Generator<string, void, undefined> {
    let at = 0;
    for (const arrived of this.#arrived.values()) {
      for (let one = this.#returned[at]; one && earlier(one, arrived) === one; one = this.#returned[at]) {
        yield one.id;
        at += 1;
      }
      yield arrived.id;
    }
    for (; at < this.#returned.length; at += 1) yield this.#returned[at]?.id ?? '';
  }

  /** Where it is among those that came back, or would be. */
  #placeOf(workload: Waiting): number {
    let [low, high] = [0, this.#returned.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const one = this.#returned[middle];
      if (one && isBefore(one, workload)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function earlier(returned: WorkloadRecord, arrived: WorkloadRecord): WorkloadRecord {
  return isBefore(returned, arrived) ? returned : arrived;
}

/** Ids of one moment sort by when they were made. */
function isBefore(one: Waiting, other: Waiting): boolean {
  return one.submittedAtMs === other.submittedAtMs
    ? one.id < other.id
    : one.submittedAtMs < other.submittedAtMs;
}
