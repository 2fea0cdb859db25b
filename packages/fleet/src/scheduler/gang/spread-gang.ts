import { present } from '@clawbernetes/kernel';
import { NVLINK_DOMAIN } from '../topology/topology-tree.ts';
import { spotOfNode, type SliceCapacity, type Spot } from './slice-capacity.ts';

export interface NodeMembers {
  readonly node: number;
  readonly members: number;
}

/**
 * Spreads slices over a place that can hold them: parts in the order of a walk through the tree, so that what
 * is near gets neighbouring ranks. On each level the largest parts are filled first, which needs the fewest,
 * and the last is the tightest that takes the remainder (as Kueue's best fit for topologies does).
 */
export function spreadSlices(
  capacity: SliceCapacity,
  place: Spot,
  slices: number,
  penalty: (node: number) => number,
): readonly NodeMembers[] {
  return spread({ capacity, penalty, given: [] }, { spot: place, amount: slices, inSlices: true });
}

/** The same for members of one slice, in a place that keeps slices. */
export function spreadMembers(
  capacity: SliceCapacity,
  place: Spot,
  members: number,
  penalty: (node: number) => number,
): readonly NodeMembers[] {
  return spread({ capacity, penalty, given: [] }, { spot: place, amount: members, inSlices: false });
}

interface Spread {
  readonly capacity: SliceCapacity;
  readonly penalty: (node: number) => number;
  readonly given: NodeMembers[];
}

interface Share {
  readonly spot: Spot;
  readonly amount: number;
  /** Whether the amount counts slices, which must stay whole, or members. */
  readonly inSlices: boolean;
}

/** As deep as the tree has levels. */
function spread(state: Spread, { spot, amount, inSlices }: Share): readonly NodeMembers[] {
  const { capacity, given } = state;
  const whole = inSlices && !capacity.keepsSlices(spot);
  const count = inSlices && !whole ? amount * capacity.sliceSize : amount;
  if (spot < 0) given.push({ node: ~spot, members: count });
  else {
    const size = (part: Spot): number => (whole ? capacity.slices(part) : capacity.members(part));
    const parts = partsOf(state, spot, size);
    for (const part of fewestParts(parts, count)) spread(state, { ...part, inSlices: whole });
  }
  return given;
}

interface Part {
  readonly spot: Spot;
  readonly size: number;
  readonly penalty: number;
}

/** Those with room, largest first, then by penalty (nodes only), then in the order of their numbers. */
function partsOf(
  { capacity: { tree }, penalty }: Spread,
  domain: number,
  size: (part: Spot) => number,
): readonly Part[] {
  const parts: Part[] = [];
  const areNodes = tree.level(domain) === NVLINK_DOMAIN;
  for (const child of tree.children(domain)) {
    const spot = areNodes ? spotOfNode(child) : child;
    const room = size(spot);
    if (room > 0) parts.push({ spot, size: room, penalty: areNodes ? penalty(child) : 0 });
  }
  return parts.toSorted(byPreference);
}

function byPreference(one: Part, other: Part): number {
  return other.size - one.size || one.penalty - other.penalty || Math.abs(one.spot) - Math.abs(other.spot);
}

function fewestParts(
  parts: readonly Part[],
  amount: number,
): readonly { readonly spot: Spot; readonly amount: number }[] {
  const taken: { spot: Spot; amount: number }[] = [];
  let left = amount;
  for (const [at, part] of parts.entries()) {
    if (part.size >= left) return [...taken, { spot: tightest(parts, at, left).spot, amount: left }];
    taken.push({ spot: part.spot, amount: part.size });
    left -= part.size;
  }
  return taken;
}

/** From `from` on the smallest that holds the amount, the most preferred of its size. */
function tightest(parts: readonly Part[], from: number, amount: number): Part {
  let best = from;
  for (let at = from; at < parts.length && (parts[at]?.size ?? 0) >= amount; at++) {
    if ((parts[at]?.size ?? 0) < (parts[best]?.size ?? 0)) best = at;
  }
  return present(parts[best], 'a part that holds the remainder');
}
