/** Most ids of a block: what an insertion moves, at most. */
const MOST = 512;

/**
 * Ids in their order, which is that of their making, in blocks: to add, delete or find a place takes some µs
 * among millions.
 */
export class SortedIds {
  readonly #blocks: string[][] = [];

  get isEmpty(): boolean {
    return this.#blocks.length === 0;
  }

  /** What is there already stays as it is. */
  add(id: string): void {
    const at = this.#blockOf(id);
    const block = this.#blocks[at];
    if (!block) {
      this.#blocks.push([id]);
      return;
    }
    const place = placeIn(block, id);
    if (block[place] === id) return;
    block.splice(place, 0, id);
    if (block.length <= MOST) return;
    // What comes last mostly stays last: then the block before is left full.
    const isLast = at === this.#blocks.length - 1;
    this.#blocks.splice(at + 1, 0, block.splice(isLast ? MOST : MOST / 2));
  }

  delete(id: string): void {
    const at = this.#blockOf(id);
    const block = this.#blocks[at] ?? [];
    const place = placeIn(block, id);
    if (block[place] !== id) return;
    block.splice(place, 1);
    if (block.length === 0) this.#blocks.splice(at, 1);
  }

  /** The newest first. @param before only ids before this one, which need not be there. */
  *newest(before?: string): Generator<string, void, undefined> {
    let at = before === undefined ? this.#blocks.length - 1 : this.#blockOf(before);
    let block = this.#blocks[at];
    let place = block && before !== undefined ? placeIn(block, before) : block?.length;
    while (block && place !== undefined) {
      for (const id of block.slice(0, place).reverse()) yield id;
      at -= 1;
      block = this.#blocks[at];
      place = block?.length;
    }
  }

  /** The block that has the id, or would. */
  #blockOf(id: string): number {
    const last = this.#blocks.length - 1;
    // Mostly what is new comes last.
    if (last <= 0 || (this.#blocks[last]?.[0] ?? '') <= id) return Math.max(0, last);
    let [low, high] = [0, last];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#blocks[middle]?.at(-1) ?? '') < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** How many of a block come before an id. */
function placeIn(block: readonly string[], id: string): number {
  let [low, high] = [0, block.length];
  if ((block[high - 1] ?? '') < id) return high;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((block[middle] ?? '') < id) low = middle + 1;
    else high = middle;
  }
  return low;
}
