import { u16, u32, u64 } from './cells.ts';
import { RESULTS } from './result-code.ts';
import { HALF, TRANSFER_FLAGS, WORD } from './transfer-record.ts';

const { linked, pending, post, void: giveUp } = TRANSFER_FLAGS;
const KNOWN_FLAGS = linked | pending | post | giveUp;
const TOO_LARGE = 1n << 63n;

/** A batch under three views of the same bytes. */
export interface TransferViews {
  readonly count: number;
  readonly words: BigUint64Array;
  readonly halves: Uint32Array;
  readonly quarters: Uint16Array;
}

/** What is wrong with a record whatever the ledger holds, or 0. `word` and `half` are where it begins. */
export function shapeFault(views: TransferViews, word: number, half: number): number {
  const { words, halves, quarters } = views;
  const tail = 2 * (half + HALF.tail);
  const [code, flags] = [u16(quarters, tail), u16(quarters, tail + 1)];
  if (isZero(halves, half + HALF.id)) return RESULTS['id-zero'].code;
  const kind = flags & (pending | post | giveUp);
  if ((flags & ~KNOWN_FLAGS) !== 0 || (kind & (kind - 1)) !== 0) return RESULTS['flags-invalid'].code;
  const amount = u64(words, word + WORD.amount);
  if (amount >= TOO_LARGE) return RESULTS['amount-too-large'].code;
  const timeout = u32(halves, half + HALF.timeout);
  if (timeout !== 0 && kind !== pending) return RESULTS['fields-not-empty'].code;
  if (code === 0) return RESULTS['code-zero'].code;
  if (kind === post || kind === giveUp) {
    if (isZero(halves, half + HALF.pending)) return RESULTS['id-zero'].code;
    if (!isZero(halves, half + HALF.credit)) return RESULTS['fields-not-empty'].code;
    return kind === giveUp && amount !== 0n ? RESULTS['fields-not-empty'].code : 0;
  }
  if (amount === 0n) return RESULTS['amount-zero'].code;
  return areSame(halves, half + HALF.debit, half + HALF.credit) ? RESULTS['accounts-same'].code : 0;
}

export function isZero(halves: Uint32Array, at: number): boolean {
  return (u32(halves, at) | u32(halves, at + 1) | u32(halves, at + 2) | u32(halves, at + 3)) === 0;
}

function areSame(halves: Uint32Array, left: number, right: number): boolean {
  for (let word = 0; word < 4; word += 1) {
    if (u32(halves, left + word) !== u32(halves, right + word)) return false;
  }
  return true;
}
