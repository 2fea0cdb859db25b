import { present } from '@clawbernetes/kernel';
import { amountOf, Tally, type Amounts, type Dimension } from './amounts.ts';
import type { Queue, QueueTree } from './queue-tree.ts';
import { waterFill } from './water-filling.ts';
import type { Worth } from './worth.ts';

/** By queue, inner ones included. Dimensions that are not shared out are absent. */
export type FairShares = ReadonlyMap<string, Amounts>;

export interface FairShareInput {
  readonly tree: QueueTree;
  readonly worth: Worth;
  /** What of the fleet can be used at all: nodes that are away or broken do not count. */
  readonly capacity: Amounts;
  /** By queue, inner ones included: what runs in it and what waits (see `totalDemand`). */
  readonly demand: ReadonlyMap<string, Amounts>;
  /** Replaces the weights of specs, for example by `weightsAfterUse`; whole numbers. */
  readonly weights?: ReadonlyMap<string, number>;
}

/** Demand of all queues, from that of those without children. */
export function totalDemand(
  tree: QueueTree,
  byLeaf: ReadonlyMap<string, Amounts>,
): ReadonlyMap<string, Amounts> {
  const total = new Tally();
  for (const [leaf, vector] of byLeaf) {
    for (const { name } of tree.leaf(leaf).path) total.add(name, vector, 1);
  }
  return new Map(tree.parentsFirst.map(({ name }) => [name, total.of(name)]));
}

/**
 * What each queue is entitled to at this moment. Every dimension is divided on its own, from the fleet down:
 * first what is guaranteed and wanted, for all; then the surplus, by priority class and within a class by
 * weight among those who want more. Where guarantees do not fit (nodes are away), they are divided like
 * weights. Shares are whole; see `waterFill` for rounding.
 */
export function fairShares(input: FairShareInput): FairShares {
  const shares = new Map(input.tree.parentsFirst.map(({ name }) => [name, new Map<Dimension, number>()]));
  for (const [dimension, amount] of input.worth.governed(input.capacity)) {
    const wanted = wantedBy(input, dimension);
    const given = new Map<string, number>();
    divide(input, { dimension, wanted, given }, input.tree.top, amount);
    for (const queue of input.tree.parentsFirst) {
      divide(input, { dimension, wanted, given }, queue.children, given.get(queue.name) ?? 0);
    }
    for (const [name, share] of given) present(shares.get(name), 'a queue of the tree').set(dimension, share);
  }
  return shares;
}

/** What a queue could use: its demand within its limit, of an inner one the sum of its children's. */
function wantedBy({ tree, demand }: FairShareInput, dimension: Dimension): ReadonlyMap<string, number> {
  const wanted = new Map<string, number>();
  for (const { name, children, limit } of tree.parentsFirst.toReversed()) {
    const own = amountOf(demand.get(name) ?? new Map(), dimension);
    const below = children.reduce((sum, child) => sum + (wanted.get(child.name) ?? 0), 0);
    wanted.set(name, Math.min(limit.get(dimension) ?? Infinity, children.length > 0 ? below : own));
  }
  return wanted;
}

interface Pouring {
  readonly dimension: Dimension;
  readonly wanted: ReadonlyMap<string, number>;
  readonly given: Map<string, number>;
}

function divide(
  input: FairShareInput,
  { dimension, wanted, given }: Pouring,
  siblings: readonly Queue[],
  amount: number,
): void {
  const guarantees = siblings.map(({ name, guaranteed }) => {
    const own = amountOf(guaranteed, dimension);
    return { need: Math.min(own, wanted.get(name) ?? 0), weight: own };
  });
  let left = amount - give(siblings, guarantees, amount, given);
  for (const sharing of byPriorityClass(siblings)) {
    const cups = sharing.map(({ name, weight }) => ({
      need: (wanted.get(name) ?? 0) - (given.get(name) ?? 0),
      weight: input.weights?.get(name) ?? weight,
    }));
    left -= give(sharing, cups, left, given);
  }
}

/** Returns how much it gave. */
function give(
  queues: readonly Queue[],
  cups: Parameters<typeof waterFill>[1],
  amount: number,
  given: Map<string, number>,
): number {
  const parts = waterFill(amount, cups);
  for (const [index, { name }] of queues.entries()) {
    given.set(name, (given.get(name) ?? 0) + (parts[index] ?? 0));
  }
  return parts.reduce((sum, part) => sum + part, 0);
}

function byPriorityClass(siblings: readonly Queue[]): readonly (readonly Queue[])[] {
  return [...Map.groupBy(siblings, ({ priorityClass }) => priorityClass)]
    .toSorted(([one], [other]) => other - one)
    .map(([, queues]) => queues);
}
