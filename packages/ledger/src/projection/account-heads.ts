import { u32 } from '../machine/cells.ts';
import { SUM_WORDS } from './wide-sum.ts';

const SMALLEST = 1024;

/**
 * Of each account, by number: its sums now, and the newest segment that it is in: the end of its history,
 * from which it is followed backwards. 40 bytes each.
 */
export class AccountHeads {
  /** SUM_WORDS each. */
  sums = new Uint32Array(SMALLEST * SUM_WORDS);
  /** Number of a segment; 0 for none. */
  segments = new Uint32Array(SMALLEST);
  /** Place among the accounts of the segment that is being filled, plus one; 0 if it is not there. */
  slots = new Uint32Array(SMALLEST);
  #size = 0;

  /** Accounts that have ever been moved lie below this number. */
  get size(): number {
    return this.#size;
  }

  /** Makes room for an account. */
  include(account: number): void {
    if (account < this.#size) return;
    this.#size = account + 1;
    if (account < this.segments.length) return;
    const capacity = Math.max(account + 1, 2 * this.segments.length);
    this.sums = grown(this.sums, capacity * SUM_WORDS);
    this.segments = grown(this.segments, capacity);
    this.slots = grown(this.slots, capacity);
  }

  segment(account: number): number {
    return account < this.#size ? u32(this.segments, account) : 0;
  }
}

function grown(from: Uint32Array<ArrayBuffer>, length: number): Uint32Array<ArrayBuffer> {
  const longer = new Uint32Array(length);
  longer.set(from);
  return longer;
}
