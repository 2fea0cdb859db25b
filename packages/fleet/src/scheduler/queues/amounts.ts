/**
 * What quotas count: milli-GPUs of a class (`*` is all of them together, `-` those of no other class),
 * thousandths of a CPU, MiB of memory.
 */
export type Dimension = 'cpuMilli' | 'memoryMib' | `gpu:${string}`;

/** A vector of whole, non-negative amounts; a dimension that is absent is 0, or in a limit without limit. */
export type Amounts = ReadonlyMap<Dimension, number>;

export const NOTHING: Amounts = new Map();

/** Holds exactly the dimensions that are given, zeros included. */
export function amounts(of: {
  readonly gpuMilli?: Readonly<Record<string, number>>;
  readonly cpuMilli?: number;
  readonly memoryMib?: number;
}): Amounts {
  const vector = new Map<Dimension, number>();
  for (const [gpuClass, milli] of Object.entries(of.gpuMilli ?? {})) vector.set(`gpu:${gpuClass}`, milli);
  if (of.cpuMilli !== undefined) vector.set('cpuMilli', of.cpuMilli);
  if (of.memoryMib !== undefined) vector.set('memoryMib', of.memoryMib);
  return vector;
}

export function amountOf(vector: Amounts, dimension: Dimension): number {
  return vector.get(dimension) ?? 0;
}

export function sumOf(vectors: Iterable<Amounts>): Amounts {
  const sum = new Map<Dimension, number>();
  for (const vector of vectors) addTo(sum, vector, 1);
  return sum;
}

export function addTo(sum: Map<Dimension, number>, vector: Amounts, sign: 1 | -1): void {
  for (const [dimension, amount] of vector) sum.set(dimension, amountOf(sum, dimension) + sign * amount);
}

export function sameAmounts(one: Amounts, other: Amounts): boolean {
  const contains = (whole: Amounts, part: Amounts): boolean =>
    part.entries().every(([dimension, amount]) => amountOf(whole, dimension) === amount);
  return contains(one, other) && contains(other, one);
}

/** "8 × h100", "1.5 × a100", "2 GPUs" of any model, "4 CPUs", "512 MiB of memory". */
export function describeAmount(dimension: Dimension, amount: number): string {
  if (dimension === 'cpuMilli') return `${amount / 1000} CPUs`;
  if (dimension === 'memoryMib') return `${amount} MiB of memory`;
  if (dimension === 'gpu:*') return `${amount / 1000} ${amount === 1000 ? 'GPU' : 'GPUs'}`;
  if (dimension === 'gpu:-') return `${amount / 1000} GPUs of other models`;
  return `${amount / 1000} × ${dimension.slice('gpu:'.length)}`;
}

/** Running sums of amounts by name. */
export class Tally {
  readonly #sums: Map<string, Map<Dimension, number>>;

  /** @param from to be copied. */
  constructor(from?: Tally) {
    this.#sums = new Map(Array.from(from ? from.#sums : [], ([name, sum]) => [name, new Map(sum)]));
  }

  add(name: string, vector: Amounts, sign: 1 | -1): void {
    const sum = this.#sums.get(name) ?? new Map<Dimension, number>();
    this.#sums.set(name, sum);
    addTo(sum, vector, sign);
  }

  of(name: string): Amounts {
    return this.#sums.get(name) ?? NOTHING;
  }
}
