import { u32 } from '../machine/cells.ts';
import { compareIds, ENTRY_WORDS } from '../journal/id-run.ts';

/** Sorted entries, ENTRY_WORDS each, piece by piece. */
export type SortedPages = AsyncIterator<Uint32Array, void, undefined>;

interface Head {
  readonly pages: SortedPages;
  page: Uint32Array;
  /** Of the first entry that was not taken, words. */
  at: number;
}

/** The entries of many sorted runs in one order; of those of one id, the one of the latest run. */
export class MergedIds {
  #heads: Head[] | undefined;
  readonly #runs: readonly SortedPages[];

  constructor(runs: readonly SortedPages[]) {
    this.#runs = runs;
  }

  /** The next of them, one at least; undefined at the end. */
  async next(): Promise<Uint32Array | undefined> {
    this.#heads ??= this.#runs.map((pages) => ({ pages, page: new Uint32Array(), at: 0 }));
    for (const head of this.#heads) await turn(head);
    this.#heads = this.#heads.filter(({ page, at }) => at < page.length);
    let last: Head | undefined;
    for (const head of this.#heads) if (!last || isBefore(head, last)) last = head;
    if (!last) return undefined;
    // All that is not after it has been read by now.
    const limit = last.page.subarray(last.page.length - ENTRY_WORDS);
    const pieces = this.#heads.map((head) => taken(head, limit)).filter(({ length }) => length > 0);
    return pieces.reduce((left, right) => merged(left, right));
  }
}

async function turn(head: Head): Promise<void> {
  while (head.at >= head.page.length) {
    const { value, done } = await head.pages.next();
    if (done === true) return;
    Object.assign(head, { page: value, at: 0 });
  }
}

/** By the last ids of their pages. */
function isBefore(left: Head, right: Head): boolean {
  return (
    compareIds(left.page, left.page.length - ENTRY_WORDS, right.page, right.page.length - ENTRY_WORDS) < 0
  );
}

/** What is not after the limit, and moves on behind it. */
function taken(head: Head, limit: Uint32Array): Uint32Array {
  const { page, at } = head;
  let [low, high] = [at / ENTRY_WORDS, page.length / ENTRY_WORDS];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareIds(page, middle * ENTRY_WORDS, limit, 0) <= 0) low = middle + 1;
    else high = middle;
  }
  head.at = low * ENTRY_WORDS;
  return page.subarray(at, head.at);
}

/** Of equal ids, the right one counts. */
function merged(left: Uint32Array, right: Uint32Array): Uint32Array {
  const all = new Uint32Array(left.length + right.length);
  let [l, r, to] = [0, 0, 0];
  while (l < left.length || r < right.length) {
    const order = l >= left.length ? 1 : r >= right.length ? -1 : compareIds(left, l, right, r);
    const [from, at] = order < 0 ? [left, l] : [right, r];
    for (let word = 0; word < ENTRY_WORDS; word += 1) all[to + word] = u32(from, at + word);
    to += ENTRY_WORDS;
    if (order <= 0) l += ENTRY_WORDS;
    if (order >= 0) r += ENTRY_WORDS;
  }
  return all.subarray(0, to);
}
