/** A mask has one bit per GPU of a node, so it holds up to 32; it is an int32, whose sign means nothing. */
export const MAX_MASK_GPUS = 32;

export function countBits(mask: number): number {
  let word = mask - ((mask >>> 1) & 0x55555555);
  word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
  return Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** The index of the lowest set bit; 32 if there is none. */
export function lowestBit(mask: number): number {
  return mask === 0 ? 32 : 31 - Math.clz32(mask & -mask);
}

/** All of the first `size` GPUs. */
export function fullMask(size: number): number {
  return size >= MAX_MASK_GPUS ? -1 : (1 << size) - 1;
}

/** The bits of a mask, lowest first. */
export function bitsOf(mask: number): readonly number[] {
  const bits: number[] = [];
  for (let rest = mask; rest !== 0; rest &= rest - 1) bits.push(lowestBit(rest));
  return bits;
}

/**
 * All subsets of `mask` with `size` bits, in ascending order of their compressed form. At most 2^bits steps:
 * for masks of at most 8 bits.
 */
export function* subsetsOf(mask: number, size: number): Generator<number> {
  for (let subset = mask & -mask; subset !== 0; subset = (subset - mask) & mask) {
    if (countBits(subset) === size) yield subset;
  }
}
