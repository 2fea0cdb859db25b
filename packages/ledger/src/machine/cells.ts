// Typed arrays answer `undefined` outside their bounds, which the compiler must assume everywhere. The
// tables of the machine compute their indices, so these say "inside" in one place; V8 inlines them.

export function u16(cells: Uint16Array, index: number): number {
  return cells[index] as number;
}

export function u32(cells: Uint32Array, index: number): number {
  return cells[index] as number;
}

export function u64(cells: BigUint64Array, index: number): bigint {
  return cells[index] as bigint;
}

export function f64(cells: Float64Array, index: number): number {
  return cells[index] as number;
}

/** @throws RangeError for a number that a cell of so many bits would cut. */
export function assertFits(what: string, value: number, bits: 16 | 32): void {
  if (Number.isInteger(value) && value >= 0 && value < 2 ** bits) return;
  throw new RangeError(`${what} of ${value} is not a whole number in ${bits} bits.`);
}

/** Zeroed words that other threads can read where they lie. */
export function sharedWords(words: number): Uint32Array<SharedArrayBuffer> {
  return new Uint32Array(new SharedArrayBuffer(4 * words));
}
