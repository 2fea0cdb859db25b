import type { WorkloadRecord } from '../records.ts';

type Waiting = Pick<WorkloadRecord, 'id' | 'submittedAtMs'>;

/** Holes that do no harm, however few wait; more are closed once they outnumber those that wait. */
const MAX_HOLES = 32;

/**
 * Workloads that wait, the one that was submitted first before the others: also one that had a place and
 * comes back, which is no work in proportion to how many wait.
 */
export class WaitingLine {
  /**
   * As they came, each submitted no earlier than those before it; where one has gone there is a hole. A map
   * of them would look at all that have gone whenever the first is asked for.
   */
  #arrived: (WorkloadRecord | undefined)[] = [];
  /** By id, where it is among them. */
  readonly #places = new Map<string, number>();
  /** Where the first of them is. */
  #head = 0;
  #newestMs = -Infinity;
  /** Those that came later than they should have, in order, and by id. */
  readonly #returned: WorkloadRecord[] = [];
  readonly #returnedById = new Map<string, WorkloadRecord>();

  get size(): number {
    return this.#places.size + this.#returned.length;
  }

  get first(): WorkloadRecord | undefined {
    const [arrived, returned] = [this.#arrived[this.#head], this.#returned[0]];
    return arrived && returned ? earlier(returned, arrived) : (arrived ?? returned);
  }

  add(workload: WorkloadRecord): void {
    this.delete(workload.id);
    if (workload.submittedAtMs >= this.#newestMs) {
      this.#newestMs = workload.submittedAtMs;
      this.#places.set(workload.id, this.#arrived.length);
      this.#arrived.push(workload);
      return;
    }
    this.#returned.splice(this.#placeOf(workload), 0, workload);
    this.#returnedById.set(workload.id, workload);
  }

  delete(id: string): void {
    this.#leave(id);
    const returned = this.#returnedById.get(id);
    if (returned) this.#returned.splice(this.#placeOf(returned), 1);
    this.#returnedById.delete(id);
    if (this.size === 0) this.#newestMs = -Infinity;
  }

  /** Ids in order. */
  *ids(): Generator<string, void, undefined> {
    let at = 0;
    for (let place = this.#head; place < this.#arrived.length; place += 1) {
      const arrived = this.#arrived[place];
      if (!arrived) continue;
      for (let one = this.#returned[at]; one && earlier(one, arrived) === one; one = this.#returned[at]) {
        yield one.id;
        at += 1;
      }
      yield arrived.id;
    }
    for (; at < this.#returned.length; at += 1) yield this.#returned[at]?.id ?? '';
  }

  #leave(id: string): void {
    const place = this.#places.get(id);
    if (place === undefined) return;
    this.#places.delete(id);
    this.#arrived[place] = undefined;
    const holes = this.#arrived.length - this.#places.size;
    if (holes > Math.max(MAX_HOLES, this.#places.size)) this.#closeHoles();
    while (this.#head < this.#arrived.length && !this.#arrived[this.#head]) this.#head += 1;
  }

  #closeHoles(): void {
    this.#arrived = this.#arrived.filter((one) => one !== undefined);
    this.#head = 0;
    for (const [place, one] of this.#arrived.entries()) if (one) this.#places.set(one.id, place);
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
