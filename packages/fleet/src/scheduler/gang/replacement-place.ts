import { ROOT } from '../topology/topology-tree.ts';
import { spotOfNode, type SliceCapacity, type Spot } from './slice-capacity.ts';

/** From a place up to the fleet; five steps at most. */
function* upwards(capacity: SliceCapacity, from: Spot): Generator<Spot> {
  for (let spot = from; spot !== ROOT; spot = capacity.parentOf(spot)) yield spot;
  yield ROOT;
}

export function isWithin(capacity: SliceCapacity, spot: Spot, place: Spot): boolean {
  return upwards(capacity, spot).some((above) => above === place);
}

/** The lowest place that holds all the nodes, known or not. */
export function commonSpot(capacity: SliceCapacity, nodes: Int32Array): Spot {
  const distinct = [...new Set(nodes)].map(spotOfNode);
  const [first = ROOT, ...others] = distinct;
  return others.reduce((common, spot) => {
    const above = new Set(upwards(capacity, common));
    return upwards(capacity, spot).find((candidate) => above.has(candidate)) ?? ROOT;
  }, first);
}

/** The widest known place around `spot` that is not above the level; `spot` itself if there is none. */
export function widestAllowed(capacity: SliceCapacity, spot: Spot, ceiling: number): Spot {
  const allowed = upwards(capacity, spot)
    .filter((above) => isKnown(capacity, above) && capacity.levelOf(above) >= ceiling)
    .toArray();
  return allowed.at(-1) ?? spot;
}

/** The lowest known place around `spot`. */
export function lowestKnown(capacity: SliceCapacity, spot: Spot): Spot {
  return upwards(capacity, spot).find((above) => isKnown(capacity, above)) ?? ROOT;
}

/** The widest place around a node within which members form a slice, but not wider than `limit`. */
export function keeperOf(capacity: SliceCapacity, node: number, limit: Spot): Spot {
  const lowestFirst = upwards(capacity, spotOfNode(node)).toArray();
  const upToLimit = lowestFirst.slice(0, lowestFirst.indexOf(limit) + 1);
  return upToLimit.findLast((spot) => capacity.keepsSlices(spot)) ?? spotOfNode(node);
}

/** The first place from `from` upwards, `limit` being the last, that has room. */
export function lowestWith(
  capacity: SliceCapacity,
  { from, limit }: { readonly from: Spot; readonly limit: Spot },
  hasRoom: (spot: Spot) => boolean,
): Spot | undefined {
  for (const spot of upwards(capacity, from)) {
    if (hasRoom(spot)) return spot;
    if (spot === limit) return undefined;
  }
  return undefined;
}

function isKnown(capacity: SliceCapacity, spot: Spot): boolean {
  return spot < 0 || capacity.tree.isKnown(spot);
}
