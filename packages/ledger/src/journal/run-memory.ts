// Relative imports only: this also runs in a worker thread, which package conditions do not reach.
import { sharedWords } from '../machine/cells.ts';

/**
 * Memory for one run of ids after the other: many megabytes each, and shared, for which the collector hardly
 * ever looks.
 */
export class RunMemory {
  #entries = sharedWords(0);
  #filter = sharedWords(0);

  /** So many words, with anything in them; those that were taken before are no longer whole. */
  entries(words: number): Uint32Array<SharedArrayBuffer> {
    if (this.#entries.length < words) this.#entries = sharedWords(words);
    return this.#entries.subarray(0, words);
  }

  /** So many words, all of them zero; as of `entries`. */
  filter(words: number): Uint32Array<SharedArrayBuffer> {
    if (this.#filter.length < words) this.#filter = sharedWords(words);
    return this.#filter.subarray(0, words).fill(0);
  }
}
