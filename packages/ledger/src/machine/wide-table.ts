import { assert } from '@clawbernetes/kernel';
import { EntryList } from './entry-list.ts';
import { SlotIndex } from './slot-index.ts';

/** A hash table from keys of 128 bits to four words of 32 bits (see SlotIndex and EntryList). */
export class WideTable extends EntryList {
  readonly #index: SlotIndex;

  /** @param expected entries that it takes without growing. */
  constructor(seed: number, expected = 0) {
    super(expected);
    this.#index = new SlotIndex(seed, expected);
  }

  /** The place of the key whose four words are at `at`, or less than zero. */
  find(words: Uint32Array, at: number): number {
    return this.#index.find(this.words, words, at);
  }

  /** Adds the key whose words are at `at`; `free` is what `find` answered just now. Answers its place. */
  insert(free: number, words: Uint32Array, at: number): number {
    assert(free < 0, 'a key is inserted once');
    const place = this.push(words, at);
    this.#index.add(free, words, at, place);
    return place;
  }

  override clear(): void {
    super.clear();
    this.#index.clear();
  }
}
