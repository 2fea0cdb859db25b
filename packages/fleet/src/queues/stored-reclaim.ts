import type { Amounts, Dimension } from '../scheduler/queues/amounts.ts';
import type { Reclaim, Standing } from '../scheduler/queues/running-unit.ts';

type StoredAmounts = readonly (readonly [Dimension, number])[];
interface StoredStanding {
  readonly share: StoredAmounts;
  readonly demand: StoredAmounts;
}

/** A reclaim as plain data. */
export interface StoredReclaim {
  readonly from: string;
  readonly theirs: StoredStanding;
  readonly ours: StoredStanding;
}

export function storedReclaim({ from, before }: Reclaim): StoredReclaim {
  return { from, theirs: stored(before.theirs), ours: stored(before.ours) };
}

export function readReclaim({ from, theirs, ours }: StoredReclaim): Reclaim {
  return { from, before: { theirs: read(theirs), ours: read(ours) } };
}

function stored({ share, demand }: Standing): StoredStanding {
  return { share: entries(share), demand: entries(demand) };
}

function entries(vector: Amounts): StoredAmounts {
  return [...vector].filter(([, amount]) => amount > 0);
}

function read({ share, demand }: StoredStanding): Standing {
  return { share: new Map(share), demand: new Map(demand) };
}
