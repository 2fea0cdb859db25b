import { assert } from '@clawbernetes/kernel';
import { u32 } from '../machine/cells.ts';
import { EFFECT } from '../machine/transfer-outcome.ts';

// Sums of 64 bits as two words, low then high: several times as fast as bigints where millions are added.

/** Of one account: pending and posted debits, pending and posted credits, two words each. */
export const SUM_WORDS = 8;
/** Where the sums of a side begin. */
export const DEBIT_SIDE = 0;
export const CREDIT_SIDE = 4;
export type Side = typeof DEBIT_SIDE | typeof CREDIT_SIDE;
const POSTED = 2;
const WRAP = 2 ** 32;

/** Words of what moved and what was released, as `applyChange` reads them: low and high of each. */
const RELEASED = 2;

/**
 * Adds to the sums of a side, which begin at `at`, what a movement of this effect does.
 * @param from where the words of its amounts begin.
 */
export function applyChange(
  sums: Uint32Array,
  at: number,
  effect: number,
  words: Uint32Array,
  from: number,
): void {
  if (effect === EFFECT.reserved) {
    addWide(sums, at, words, from);
    return;
  }
  if (effect !== EFFECT.moved) subtractWide(sums, at, words, from + RELEASED);
  if (effect === EFFECT.moved || effect === EFFECT.posted) addWide(sums, at + POSTED, words, from);
}

/** Undoes `applyChange`. */
export function revertChange(
  sums: Uint32Array,
  at: number,
  effect: number,
  words: Uint32Array,
  from: number,
): void {
  if (effect === EFFECT.reserved) {
    subtractWide(sums, at, words, from);
    return;
  }
  if (effect !== EFFECT.moved) addWide(sums, at, words, from + RELEASED);
  if (effect === EFFECT.moved || effect === EFFECT.posted) subtractWide(sums, at + POSTED, words, from);
}

export function readWide(words: Uint32Array, at: number): bigint {
  return joinWide(u32(words, at), u32(words, at + 1));
}

export function joinWide(low: number, high: number): bigint {
  return (BigInt(high) << 32n) | BigInt(low);
}

function addWide(sums: Uint32Array, at: number, words: Uint32Array, from: number): void {
  const sum = u32(sums, at) + u32(words, from);
  sums[at] = sum;
  sums[at + 1] = u32(sums, at + 1) + u32(words, from + 1) + (sum >= WRAP ? 1 : 0);
}

function subtractWide(sums: Uint32Array, at: number, words: Uint32Array, from: number): void {
  const difference = u32(sums, at) - u32(words, from);
  sums[at] = difference;
  const upper = u32(sums, at + 1) - u32(words, from + 1) - (difference < 0 ? 1 : 0);
  assert(upper >= 0, 'no sum is less than what it is made of');
  sums[at + 1] = upper;
}
