import { BinaryHeap } from '@clawbernetes/kernel';

/** One time per key, the earliest first; of equal times the lower key, so that every replay agrees. */
export class DueQueue {
  readonly #dueMs = new Map<string, number>();
  /** Entries that are not what `#dueMs` says are left over and skipped. */
  readonly #heap = new BinaryHeap<Entry>(isBefore);

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
    this.#heap.push({ atMs, key });
    if (this.#heap.size > 2 * this.#dueMs.size + 1024) this.#heap.keep((entry) => this.#isCurrent(entry));
  }

  delete(key: string): void {
    this.#dueMs.delete(key);
  }

  /** Takes the first out if it is due by then. */
  take(timeMs: number): string | undefined {
    const first = this.#first();
    if (!first || first.atMs > timeMs) return undefined;
    this.#heap.pop();
    this.#dueMs.delete(first.key);
    return first.key;
  }

  entries(): readonly (readonly [string, number])[] {
    return [...this.#dueMs];
  }

  #first(): Entry | undefined {
    for (;;) {
      const { first } = this.#heap;
      if (!first || this.#isCurrent(first)) return first;
      this.#heap.pop();
    }
  }

  #isCurrent({ key, atMs }: Entry): boolean {
    return this.#dueMs.get(key) === atMs;
  }
}

interface Entry {
  readonly atMs: number;
  readonly key: string;
}

function isBefore(left: Entry, right: Entry): boolean {
  return left.atMs < right.atMs || (left.atMs === right.atMs && left.key < right.key);
}
