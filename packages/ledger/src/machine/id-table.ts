import { assert } from '@clawbernetes/kernel';
import { EntryList } from './entry-list.ts';
import { idTimeMs } from './id-time.ts';
import { ENTRY_STRIDE, SlotIndex } from './slot-index.ts';

/** Ids of a part, about: its index, 256 KiB, stays in the second level of a processor's cache. */
const PART_IDS = 8192;
/** Newest ids whose times tell where the next part begins, and the share of them that stay behind. */
const SAMPLED = 1024;
const STAYING = 0.9;

interface Part {
  /** It is about ids made from then on, until the next part begins. */
  readonly fromMs: number;
  readonly index: SlotIndex;
}

/**
 * Entries by id. Ids carry the time at which they were made and come nearly in that order; so the index is
 * cut into parts by time, each of which is asked for the ids of its time alone. What is looked up is nearly
 * always in the newest, which is small enough to be near, however many ids there are. Ids that come in any
 * other order are found as well, as slowly as in a single large table.
 */
export class IdTable extends EntryList {
  readonly #seed: number;
  readonly #partIds: number;
  /** The oldest first; its `fromMs` is 0. */
  readonly #parts: Part[] = [];
  /** Cleared, for the next parts. */
  readonly #spare: SlotIndex[] = [];
  #newest: Part;
  /** What `touch` read: kept, or it would be optimized away. */
  touched = 0;

  /**
   * @param expected entries that it takes without growing.
   * @param partIds ids of a part, about.
   */
  constructor(seed: number, expected = 0, partIds = PART_IDS) {
    super(expected);
    this.#seed = seed;
    this.#partIds = partIds;
    this.#newest = this.#begin(0, Math.min(expected, 2 * partIds));
  }

  get partCount(): number {
    return this.#parts.length;
  }

  /** The place of the id whose four words are at `at`, or less than zero. */
  find(words: Uint32Array, at: number): number {
    return this.#indexOf(words, at).find(this.words, words, at);
  }

  /** Adds the id at `at`; `free` is what `find` answered just now. Answers its place. */
  insert(free: number, words: Uint32Array, at: number): number {
    assert(free < 0, 'an id is inserted once');
    const place = this.push(words, at);
    this.#indexOf(words, at).add(free, words, at, place);
    return place;
  }

  /**
   * Begins a new part if it is time, then reads where ids will be looked up, from `at` on every `stride`
   * words: these reads do not wait for each other, as those of one lookup after another would. What `find`
   * answered before for `insert` counts no more.
   */
  touch(words: Uint32Array, at: number, stride: number): void {
    if (this.#newest.index.size >= this.#partIds) this.#split();
    const { fromMs, index } = this.#newest;
    const entries = this.words;
    let seen = 0;
    for (let id = at; id < words.length; id += stride)
      if (idTimeMs(words, id) >= fromMs) seen ^= index.peek(entries, words, id);
    this.touched = seen;
  }

  override clear(): void {
    super.clear();
    for (const { index } of this.#parts) {
      index.clear();
      this.#spare.push(index);
    }
    this.#parts.length = 0;
    this.#newest = this.#begin(0, 2 * this.#partIds);
  }

  #indexOf(words: Uint32Array, at: number): SlotIndex {
    const timeMs = idTimeMs(words, at);
    return timeMs >= this.#newest.fromMs ? this.#newest.index : this.#olderIndex(timeMs);
  }

  #olderIndex(timeMs: number): SlotIndex {
    let [low, high] = [0, this.#parts.length - 1];
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if ((this.#parts[middle] as Part).fromMs <= timeMs) low = middle;
      else high = middle;
    }
    return (this.#parts[low] as Part).index;
  }

  #begin(fromMs: number, expected: number): Part {
    const part = { fromMs, index: this.#spare.pop() ?? new SlotIndex(this.#seed, expected) };
    this.#parts.push(part);
    return part;
  }

  /**
   * The newest part ends where most of its newest ids end. The few that are later are led to by both parts
   * from then on, and looked for in the new one. Ids of one time stay together, so nothing may come of it.
   */
  #split(): void {
    const [former, entries] = [this.#newest.index, this.words];
    const fromMs = this.#endOfMost();
    if (fromMs <= this.#newest.fromMs) return;
    this.#newest = this.#begin(fromMs, 2 * this.#partIds);
    this.#newest.index.addFrom(former, (place) => idTimeMs(entries, place) >= fromMs);
  }

  #endOfMost(): number {
    const count = Math.min(this.size, this.#partIds, SAMPLED);
    const times = new Float64Array(count);
    const end = this.size * ENTRY_STRIDE;
    for (let index = 0; index < count; index += 1)
      times[index] = idTimeMs(this.words, end - (index + 1) * ENTRY_STRIDE);
    times.sort();
    return (times[Math.floor(STAYING * count)] ?? 0) + 1;
  }
}
