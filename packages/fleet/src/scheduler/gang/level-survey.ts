import { FLEET, NODE, NVLINK_DOMAIN } from '../topology/topology-tree.ts';
import { spotOfNode, type SliceCapacity, type Spot } from './slice-capacity.ts';

/**
 * What one level offers for a gang as a whole. Places of unknown name are left out: they promise no nearness.
 */
export interface LevelSurvey {
  readonly level: number;
  readonly places: number;
  /** The one that holds most; undefined if the level has no known place. */
  readonly largest: Spot | undefined;
  /** Slices that fit into it. */
  readonly most: number;
}

/** By level, from the whole fleet to the node. */
export function surveyLevels(capacity: SliceCapacity): readonly LevelSurvey[] {
  return Array.from({ length: NODE + 1 }, (_, level) => surveyLevel(capacity, level));
}

function surveyLevel(capacity: SliceCapacity, level: number): LevelSurvey {
  let places = 0;
  let largest: Spot | undefined;
  let most = -1;
  forEachPlace(capacity, level, (spot) => {
    places++;
    const slices = capacity.slices(spot);
    if (slices < most || (slices === most && largest !== undefined && isBefore(largest, spot))) return;
    largest = spot;
    most = slices;
  });
  return { level, places, largest, most: Math.max(0, most) };
}

/**
 * Best fit: of the places of a level that can hold so many slices, the one with the fewest members to spare;
 * of equals the one of least penalty (nodes only), then of the lowest number.
 */
export function tightestPlace(
  capacity: SliceCapacity,
  level: number,
  slices: number,
  penalty: (node: number) => number,
): Spot | undefined {
  let best: Spot | undefined;
  let fewest = Infinity;
  forEachPlace(capacity, level, (spot) => {
    if (capacity.slices(spot) < slices) return;
    const members = capacity.members(spot);
    if (members > fewest) return;
    if (best !== undefined && members === fewest && !isBetter(spot, best, penalty)) return;
    best = spot;
    fewest = members;
  });
  return best;
}

function isBetter(spot: Spot, best: Spot, penalty: (node: number) => number): boolean {
  const less = spot < 0 ? penalty(~spot) - penalty(~best) : 0;
  return less === 0 ? isBefore(spot, best) : less < 0;
}

/** Places of one level are numbered from 0 up, or as nodes from ~0 down. */
function isBefore(one: Spot, other: Spot): boolean {
  return one < 0 ? one > other : one < other;
}

function forEachPlace(capacity: SliceCapacity, level: number, visit: (spot: Spot) => void): void {
  const { tree } = capacity;
  if (level !== NODE) {
    for (const domain of tree.domainsAt(level)) if (tree.isKnown(domain) || level === FLEET) visit(domain);
    return;
  }
  for (const domain of tree.domainsAt(NVLINK_DOMAIN)) {
    for (const node of tree.children(domain)) visit(spotOfNode(node));
  }
}
