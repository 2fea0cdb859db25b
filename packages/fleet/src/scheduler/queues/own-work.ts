import { BinaryHeap } from '@clawbernetes/kernel';
import { sliced, type Sliced } from '../slices.ts';
import { Tally, type Amounts } from './amounts.ts';
import type { Queue, QueueTree } from './queue-tree.ts';
import { compareRank, type RunningUnit } from './running-unit.ts';
import type { Worth } from './worth.ts';

/**
 * The lowest queue on the path of each unit in whose entitlement it has a place; absent if it is borrowed all
 * the way up. In every queue, places are taken in order of rank, first by what has one further down, and a
 * unit that is too large is passed over: so own work never exceeds the entitlement, and evicting borrowed
 * work leaves all own work what it is. Work that needs nothing governed is always its queue's own.
 */
export type OwnWork = ReadonlyMap<string, Queue>;

export function* ownWork(
  { tree, worth }: { readonly tree: QueueTree; readonly worth: Worth },
  ranked: readonly RunningUnit[],
  entitlementOf: (queue: Queue) => Amounts,
): Sliced<OwnWork> {
  const owners = new Map<string, Queue>();
  const taken = new Tally();
  let borrowed = ranked;
  const deepest = tree.parentsFirst.reduce((most, { path }) => Math.max(most, path.length), 0);
  for (let depth = deepest; depth > 0; depth -= 1) {
    const rest: RunningUnit[] = [];
    yield* sliced(borrowed, LOOKS_PER_UNIT, (unit) => {
      const { path } = tree.leaf(unit.queue);
      const queue = path.at(-depth);
      if (!queue || !worth.within(unit.amounts, taken.of(queue.name), entitlementOf(queue)))
        return void rest.push(unit);
      owners.set(unit.id, queue);
      for (const { name } of path) taken.add(name, unit.amounts, 1);
    });
    borrowed = rest;
  }
  return owners;
}

/** In the order of their rank: what goes first is the last to be borrowed. */
export function* byRank(units: readonly RunningUnit[]): Sliced<readonly RunningUnit[]> {
  const heap = new BinaryHeap<RunningUnit>((one, other) => compareRank(one, other) < 0);
  yield* sliced(units, LOOKS_PER_UNIT, (unit) => heap.push(unit));
  const sorted: RunningUnit[] = [];
  yield* sliced(units, LOOKS_PER_UNIT, () => {
    if (heap.first) sorted.push(heap.first);
    heap.pop();
  });
  return sorted;
}

const LOOKS_PER_UNIT = 1;
