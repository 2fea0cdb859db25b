/** One time per key, the earliest first; of equal times the lower key, so that every replay agrees. */
export class DueQueue {
  readonly #dueMs = new Map<string, number>();
  /** A binary heap; entries that are not what `#dueMs` says are left over and skipped. */
  readonly #heap: Entry[] = [];

  get size(): number {
    return this.#dueMs.size;
  }

  /** Infinity if nothing is due ever. */
  get nextMs(): number {
    return this.#first()?.atMs ?? Infinity;
  }

  /** Replaces an earlier time of the key. */
  set(key: string, atMs: number): void {
    if (this.#dueMs.get(key) === atMs) return;
    this.#dueMs.set(key, atMs);
    this.#push({ atMs, key });
  }

  delete(key: string): void {
    this.#dueMs.delete(key);
  }

  /** Takes the first out if it is due by then. */
  take(timeMs: number): string | undefined {
    const first = this.#first();
    if (!first || first.atMs > timeMs) return undefined;
    this.#pop();
    this.#dueMs.delete(first.key);
    return first.key;
  }

  entries(): readonly (readonly [string, number])[] {
    return [...this.#dueMs];
  }

  #first(): Entry | undefined {
    for (;;) {
      const [first] = this.#heap;
      if (!first || this.#dueMs.get(first.key) === first.atMs) return first;
      this.#pop();
    }
  }

  #push(entry: Entry): void {
    if (this.#heap.length > 2 * this.#dueMs.size + 1024) this.#sweep();
    let child = this.#heap.push(entry) - 1;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      const above = this.#heap[parent];
      if (above === undefined || !isBefore(entry, above)) break;
      this.#heap[child] = above;
      child = parent;
    }
    this.#heap[child] = entry;
  }

  #pop(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    let parent = 0;
    for (;;) {
      const [left, right] = [this.#heap[2 * parent + 1], this.#heap[2 * parent + 2]];
      const isRight = right !== undefined && left !== undefined && isBefore(right, left);
      const below = isRight ? right : left;
      if (below === undefined || !isBefore(below, last)) break;
      this.#heap[parent] = below;
      parent = 2 * parent + (isRight ? 2 : 1);
    }
    this.#heap[parent] = last;
  }

  #sweep(): void {
    const live = this.#heap.filter(({ key, atMs }) => this.#dueMs.get(key) === atMs);
    // A sorted array is a heap.
    this.#heap.splice(
      0,
      this.#heap.length,
      ...live.toSorted((left, right) => (isBefore(left, right) ? -1 : 1)),
    );
  }
}

interface Entry {
  readonly atMs: number;
  readonly key: string;
}

function isBefore(left: Entry, right: Entry): boolean {
  return left.atMs < right.atMs || (left.atMs === right.atMs && left.key < right.key);
}
