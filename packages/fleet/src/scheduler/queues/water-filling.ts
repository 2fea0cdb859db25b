/** One of those among whom an amount is divided. */
export interface Cup {
  /** It takes no more than this; whole, 0 or more. */
  readonly need: number;
  /** Whole, 0 or more; without weight it gets nothing. */
  readonly weight: number;
}

/**
 * Weighted max-min fairness: all rise together, each as fast as its weight, until it is full or the amount is
 * used up. Every part is the exact one, rounded down to a whole number, so fewer units than there are cups
 * may stay behind; parts depend on the set of cups, not on their order. Products are taken in bigint, since
 * MiB of a large fleet times weights pass 2^53.
 */
export function waterFill(amount: number, cups: readonly Cup[]): number[] {
  const parts = cups.map(() => 0);
  const thirsty = cups
    .map(({ need, weight }, index) => ({ index, need: BigInt(need), weight: BigInt(weight) }))
    .filter(({ need, weight }) => need > 0n && weight > 0n)
    .toSorted((one, other) => Number(one.need * other.weight - other.need * one.weight));
  let left = BigInt(amount);
  let weights = thirsty.reduce((sum, { weight }) => sum + weight, 0n);
  let full = true;
  for (const { index, need, weight } of thirsty) {
    // In this order the first that cannot be filled is followed by such alone: they share what is left.
    full &&= need * weights <= left * weight;
    parts[index] = Number(full ? need : (left * weight) / weights);
    if (!full) continue;
    left -= need;
    weights -= weight;
  }
  return parts;
}
