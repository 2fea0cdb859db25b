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

export function ownWork(
  { tree, worth }: { readonly tree: QueueTree; readonly worth: Worth },
  units: readonly RunningUnit[],
  entitlementOf: (queue: Queue) => Amounts,
): OwnWork {
  const owners = new Map<string, Queue>();
  const taken = new Tally();
  let borrowed = units.toSorted(compareRank).map((unit) => ({ unit, path: tree.leaf(unit.queue).path }));
  const deepest = borrowed.reduce((most, { path }) => Math.max(most, path.length), 0);
  for (let depth = deepest; depth > 0; depth -= 1) {
    borrowed = borrowed.filter(({ unit, path }) => {
      const queue = path.at(-depth);
      if (!queue || !worth.within(unit.amounts, taken.of(queue.name), entitlementOf(queue))) return true;
      owners.set(unit.id, queue);
      for (const { name } of path) taken.add(name, unit.amounts, 1);
      return false;
    });
  }
  return owners;
}
