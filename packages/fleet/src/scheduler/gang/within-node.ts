import { tightestPart } from '../gpu-fit.ts';
import type { SnapshotNode } from '../snapshot.ts';
import { GPU_LEVELS, type GpuLevel, type PlaceLevel } from '../topology/gpu-level.ts';
import type { GangFleet } from './gang-demand.ts';
import type { GangPlacement } from './gang-plan.ts';
import { memberOf, type ShapeOfGang } from './member-shape.ts';

const WISHES = new WeakMap<ShapeOfGang, readonly ShapeOfGang[]>();

/**
 * What to try one after the other: of a gang that prefers a part of a node that part, then the coarser ones,
 * then the levels from the node up. The same objects for the same gang.
 */
export function wishesOf(shape: ShapeOfGang): readonly ShapeOfGang[] {
  const known = WISHES.get(shape);
  if (known) return known;
  const wishes = [...partLevels(shape).map((level) => onOnePart(shape, level)), shape];
  WISHES.set(shape, wishes);
  return wishes;
}

/** The levels below a node that a gang prefers, the nearest first; none if it requires one. */
export function partLevels({ gang: { within }, migProfile }: ShapeOfGang): readonly GpuLevel[] {
  if (within?.rule !== 'preferred') return [];
  const upwards = GPU_LEVELS.slice(0, GPU_LEVELS.indexOf(within.level) + 1).toReversed();
  // Instances reach each other over no NVLink.
  return migProfile === undefined ? upwards : upwards.filter((level) => level !== 'nvlink-island');
}

function onOnePart(shape: ShapeOfGang, level: GpuLevel): ShapeOfGang {
  const topology = { level: 'node', rule: 'required' } as const;
  return { ...shape, gang: { ...shape.gang, topology, within: { level, rule: 'required' } } };
}

/** Where a gang stands as a whole. */
export interface Standing {
  readonly members: number;
  readonly level: PlaceLevel;
  /** Name of the place. */
  readonly place: string;
  readonly placements: readonly GangPlacement[];
}

/** Nodes of which the parts are looked at; those first that have the lowest numbers. */
const MAX_NODES = 1024;

interface Seat {
  readonly node: number;
  readonly name: string;
  readonly spare: number;
  readonly penalty: number;
}

/**
 * Of all parts of nodes that hold the gang the one with the fewest members to spare, of equals one on the
 * node of least penalty; undefined if there is none. @param nodes by number, those that may be taken.
 */
export function tightestSeat(
  { room, penalty = () => 0 }: GangFleet,
  shape: ShapeOfGang,
  members: number,
  nodes: Iterable<readonly [number: number, view: SnapshotNode]>,
): Standing | undefined {
  const member = memberOf(shape);
  let best: Seat | undefined;
  let left = MAX_NODES;
  for (const [node, view] of nodes) {
    if ((room[node] ?? 0) < members) continue;
    const part = tightestPart(view, member, members);
    if (!part) continue;
    const seat = { node, spare: part.spare, penalty: penalty(node), name: `${view.name}/${part.name}` };
    if (!best || seat.spare < best.spare || (seat.spare === best.spare && seat.penalty < best.penalty))
      best = seat;
    left -= 1;
    if (left === 0 || (best.spare === 0 && best.penalty === 0)) break;
  }
  if (!best || member.within === undefined) return undefined;
  const placements = [{ node: best.node, members, firstRank: 0 }];
  return { members, level: member.within, place: best.name, placements };
}

/** Members in the order of their GPUs, NUMA node by NUMA node, so that near ranks are near each other. */
export function inTopologyOrder(
  { gpus }: SnapshotNode,
  members: readonly (readonly string[])[],
): readonly (readonly string[])[] {
  const places = new Map(gpus.map(({ id, numaNode = -1 }, at) => [id, { at, numaNode }]));
  const placeOf = ([first = '']: readonly string[]): { readonly at: number; readonly numaNode: number } =>
    places.get(first) ?? { at: -1, numaNode: -1 };
  return members.toSorted((one, other) => {
    const [left, right] = [placeOf(one), placeOf(other)];
    return left.numaNode - right.numaNode || left.at - right.at;
  });
}
