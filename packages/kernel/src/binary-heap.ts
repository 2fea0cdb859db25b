/**
 * Entries of which the first by some order is at hand; adding and taking cost the logarithm of their number.
 */
export class BinaryHeap<Entry> {
  readonly #isBefore: (left: Entry, right: Entry) => boolean;
  #entries: Entry[] = [];

  constructor(isBefore: (left: Entry, right: Entry) => boolean) {
    this.#isBefore = isBefore;
  }

  get size(): number {
    return this.#entries.length;
  }

  get first(): Entry | undefined {
    return this.#entries[0];
  }

  push(entry: Entry): void {
    let child = this.#entries.push(entry) - 1;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      const above = this.#entries[parent];
      if (above === undefined || !this.#isBefore(entry, above)) break;
      this.#entries[child] = above;
      child = parent;
    }
    this.#entries[child] = entry;
  }

  /** Takes the first away. */
  pop(): void {
    const last = this.#entries.pop();
    if (last === undefined || this.#entries.length === 0) return;
    let parent = 0;
    for (;;) {
      const [left, right] = [this.#entries[2 * parent + 1], this.#entries[2 * parent + 2]];
      const isRight = right !== undefined && left !== undefined && this.#isBefore(right, left);
      const below = isRight ? right : left;
      if (below === undefined || !this.#isBefore(below, last)) break;
      this.#entries[parent] = below;
      parent = 2 * parent + (isRight ? 2 : 1);
    }
    this.#entries[parent] = last;
  }

  /** Drops all entries that are not wanted any more. */
  keep(isWanted: (entry: Entry) => boolean): void {
    // A sorted array is a heap.
    this.#entries = this.#entries
      .filter((entry) => isWanted(entry))
      .toSorted((left, right) => Number(this.#isBefore(right, left)) - Number(this.#isBefore(left, right)));
  }
}
