import { FLEET, NODE, ROOT } from '../topology/topology-tree.ts';
import { allowedCeilings } from './gang-bounds.ts';
import type { GangDemand, GangFleet, GangSpread } from './gang-demand.ts';
import { SliceCapacity, spotOfNode, type Spot } from './slice-capacity.ts';
import { spreadMembers } from './spread-gang.ts';

/** A fleet with the values of the label over which a gang is spread. */
export interface SpreadFleet extends GangFleet {
  /** Of a node; undefined if it has none, or can never take a member. */
  readonly valueOf: (node: number) => string | undefined;
}

export interface SpreadChoice {
  /** By node number: what is left of the room, of which the gang needs all. */
  readonly room: Int32Array;
  readonly members: number;
  /** Members by which the fullest value is ahead of the emptiest. */
  readonly skew: number;
}

/** A place of the widest level that the gang may span. */
interface Place {
  readonly spot: Spot;
  /** By value: its nodes and the members that they take, those without room too. */
  readonly values: ReadonlyMap<string, { readonly nodes: readonly number[]; readonly room: number }>;
  readonly total: number;
}

interface Division {
  readonly place: Place;
  /** Members by value. */
  readonly counts: ReadonlyMap<string, number>;
  readonly skew: number;
}

/**
 * Takes away room until what is left is spread as the gang asks for, as evenly as there is room for it;
 * undefined if no choice of members is. The most members that are possible, then the least skew beyond what
 * is allowed, then the place with the least room to spare. Pure.
 */
export function spreadRoom(
  fleet: SpreadFleet,
  demand: GangDemand,
  spread: GangSpread,
): SpreadChoice | undefined {
  const { min, max } = demand.members;
  for (const ceiling of allowedCeilings(demand)) {
    const places = placesOf(fleet, ceiling);
    const members = most(min, max, (count) => divide(places, count, spread) !== undefined);
    const found = members === undefined ? undefined : divide(places, members, spread);
    if (members === undefined || !found) continue;
    return { room: restrict(fleet, found), members, skew: found.skew };
  }
  return undefined;
}

/**
 * The largest number that will do, if any; what does for one does for every smaller one: with more members
 * the fullest value is never less ahead of one that is full up.
 */
function most(min: number, max: number, does: (count: number) => boolean): number | undefined {
  if (!does(min)) return undefined;
  let [low, high] = [min, max];
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (does(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

function placesOf({ tree, room, valueOf }: SpreadFleet, level: number): readonly Place[] {
  const places = new Map<Spot, Map<string, { nodes: number[]; room: number }>>();
  for (let node = 0; node < tree.nodeSlots; node += 1) {
    const value = tree.has(node) ? valueOf(node) : undefined;
    if (value === undefined) continue;
    const spot = level === NODE ? spotOfNode(node) : (tree.path(node)[level] ?? ROOT);
    if (level !== FLEET && spot >= 0 && !tree.isKnown(spot)) continue;
    const values = places.get(spot) ?? new Map<string, { nodes: number[]; room: number }>();
    const known = values.get(value) ?? { nodes: [], room: 0 };
    known.nodes.push(node);
    known.room += room[node] ?? 0;
    places.set(spot, values.set(value, known));
  }
  return Array.from(places, ([spot, values]) => ({
    spot,
    values,
    total: values.values().reduce((sum, { room: each }) => sum + each, 0),
  }));
}

function divide(
  places: readonly Place[],
  members: number,
  { maxSkew, rule }: GangSpread,
): Division | undefined {
  let best: Division | undefined;
  for (const place of places) {
    if (place.total < members) continue;
    const counts = evenly(place, members);
    const division = { place, counts, skew: skewOf(counts) };
    if (rule === 'required' && division.skew > maxSkew) continue;
    if (!best || isBetter(division, best, maxSkew)) best = division;
  }
  return best;
}

function isBetter(one: Division, other: Division, maxSkew: number): boolean {
  const less = Math.max(one.skew, maxSkew) - Math.max(other.skew, maxSkew);
  return less === 0 ? one.place.total < other.place.total : less < 0;
}

/** Every value up to a common height, as far as it has room: no division has less skew. */
function evenly({ values }: Place, members: number): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  // The tightest first: what it cannot take the others share.
  const ascending = [...values].toSorted(([, one], [, other]) => one.room - other.room);
  let left = members;
  for (const [at, [value, { room }]] of ascending.entries()) {
    const share = Math.min(room, Math.floor(left / (ascending.length - at)));
    counts.set(value, share);
    left -= share;
  }
  return counts;
}

function skewOf(counts: ReadonlyMap<string, number>): number {
  let [least, largest] = [Infinity, 0];
  for (const count of counts.values()) {
    least = Math.min(least, count);
    largest = Math.max(largest, count);
  }
  return largest - least;
}

/** The room that the members of each value take, on as few nodes of it as possible. */
function restrict(fleet: SpreadFleet, { place, counts }: Division): Int32Array {
  const { tree, room, penalty = () => 0 } = fleet;
  const left = new Int32Array(room.length);
  for (const [value, { nodes }] of place.values) {
    const count = counts.get(value) ?? 0;
    const [only, ...others] = nodes;
    if (only !== undefined && others.length === 0) left[only] = count;
    else if (count > 0) {
      const ofValue = new Int32Array(room.length);
      for (const node of nodes) ofValue[node] = room[node] ?? 0;
      const capacity = new SliceCapacity({ tree, room: ofValue });
      for (const { node, members } of spreadMembers(capacity, place.spot, count, penalty))
        left[node] = members;
    }
  }
  return left;
}
