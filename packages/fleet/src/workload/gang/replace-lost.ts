import { fitNow, membersThatFit } from '../../scheduler/fit.ts';
import type { FleetCore } from '../../fleet-core.ts';
import type { AttemptRecord, GangRecord, WorkloadRecord } from '../../records.ts';
import type { FleetTopology } from '../../scheduler/gang/fleet-topology.ts';
import type { GangFleet } from '../../scheduler/gang/gang-demand.ts';
import { isGang, memberOf, type ShapeOfGang } from '../../scheduler/gang/member-shape.ts';
import { devicesFor, gangFleet, valuesOf } from '../../scheduler/gang/place-gang.ts';
import { replaceMembers, type GangReplacement } from '../../scheduler/gang/replace-members.ts';
import { partLevels } from '../../scheduler/gang/within-node.ts';
import { inOnePart, partWith } from '../../scheduler/gpu-parts.ts';
import { afterPlacement, type MemberTrace, type Placement } from '../../scheduler/placement.ts';
import { shapeOf } from '../../scheduler/resources.ts';
import type { GpuLevel } from '../../scheduler/topology/gpu-level.ts';
import { levelName, NODE } from '../../scheduler/topology/topology-tree.ts';

export interface Seats {
  readonly workload: WorkloadRecord;
  readonly gang: GangRecord;
  /** Members that go on, by rank; one at least. */
  readonly living: readonly AttemptRecord[];
  /** Ranks that are to be taken, each by a new member. */
  readonly ranks: readonly number[];
}

/**
 * Places for the ranks of a gang that runs, as near to what they were as its constraints allow: for all of
 * them or none. The others stay where they are. Nothing is changed. @param topology of the fleet as it is.
 */
export function seatsFor(
  core: FleetCore,
  topology: FleetTopology,
  seats: Seats,
): readonly Placement[] | undefined {
  const { workload, ranks } = seats;
  const shape = shapeOf(workload.spec, workload.nodeId);
  if (!isGang(shape) || ranks.length === 0) return undefined;
  const moves = shape.gang.within
    ? movesWithin(core, topology, shape, seats)
    : movesBetween(core, topology, shape, seats);
  return moves && toPlacements(core, topology, { workload, shape, moves });
}

function movesBetween(
  core: FleetCore,
  topology: FleetTopology,
  shape: ShapeOfGang,
  seats: Seats,
): Moves | undefined {
  const nodeOfRank = nodesOf(core, topology, seats);
  return replaceEvenly({ topology, shape, nodeOfRank, ranks: seats.ranks });
}

/** On the part of a node on which the others stand; elsewhere only where that part is preferred. */
function movesWithin(
  core: FleetCore,
  topology: FleetTopology,
  shape: ShapeOfGang,
  seats: Seats,
): Moves | undefined {
  const { within } = memberOf(shape);
  if (within !== undefined) return movesOnPart(topology, shape, [within], seats);
  const isSpread = shape.gang.spread?.rule === 'required';
  const near = isSpread ? undefined : movesOnPart(topology, shape, partLevels(shape), seats);
  return near ?? movesBetween(core, topology, shape, seats);
}

/** The nearest of these parts that has room. */
function movesOnPart(
  topology: FleetTopology,
  shape: ShapeOfGang,
  levels: readonly GpuLevel[],
  { living, ranks }: Seats,
): Moves | undefined {
  const number = nodeOfAll(topology, living);
  if (number === undefined) return undefined;
  const view = topology.view(number);
  const member = inOnePart(memberOf(shape));
  const taken = new Set(living.flatMap(({ devices }) => devices));
  for (const level of levels) {
    const part = partWith(view, level, taken);
    if (!part || membersThatFit(part.node, member) < ranks.length) continue;
    const devices = devicesFor(part.node, member, ranks.length);
    return ranks.map((rank, at) => ({ rank, to: number, devices: devices[at] ?? [] }));
  }
  return undefined;
}

/** The node on which all of them run; undefined if there is none. */
function nodeOfAll(topology: FleetTopology, members: readonly AttemptRecord[]): number | undefined {
  const [nodeId, ...others] = new Set(members.map((member) => member.nodeId));
  return nodeId === undefined || others.length > 0 ? undefined : topology.number(nodeId);
}

function nodesOf(core: FleetCore, topology: FleetTopology, { workload, living, ranks }: Seats): Int32Array {
  const members = core.workloads.members(workload.id);
  const size = Math.max(...members.map(({ rank = 0 }) => rank), ...ranks) + 1;
  const nodes = new Int32Array(size).fill(UNKNOWN);
  for (const { rank = 0, nodeId } of members) nodes[rank] = topology.number(nodeId) ?? UNKNOWN;
  for (const { rank = 0, nodeId } of living) nodes[rank] = topology.number(nodeId) ?? UNKNOWN;
  return nodes;
}

/** Of a node that has left the fleet, and of a rank that never had one. */
const UNKNOWN = -1;

/** GPUs where they matter. */
type Moves = readonly { readonly rank: number; readonly to: number; readonly devices?: readonly string[] }[];

interface Replacing {
  readonly topology: FleetTopology;
  readonly shape: ShapeOfGang;
  readonly nodeOfRank: Int32Array;
  readonly ranks: readonly number[];
}

function replaceEvenly({ topology, shape, nodeOfRank, ranks }: Replacing): Moves | undefined {
  const { spread, ...demand } = shape.gang;
  const fleet = gangFleet(topology, shape);
  const lost = nodeOfRank
    .map((node) => node)
    .reduce<number[]>(
      (all, node, rank) => (node === UNKNOWN || ranks.includes(rank) ? [...all, rank] : all),
      [],
    );
  if (lost.length === nodeOfRank.length) return undefined;
  const isEven = spread?.rule === 'required';
  if (!isEven) return movesOf(replaceMembers({ demand, nodeOfRank }, lost, fleet), ranks);
  return replaceByValue({ topology, shape, nodeOfRank, ranks }, fleet, spread.by);
}

function movesOf(
  replacement: ReturnType<typeof replaceMembers>,
  ranks: readonly number[],
): Moves | undefined {
  if (replacement.kind === 'refusal') return undefined;
  const wanted = new Set(ranks);
  return (replacement satisfies GangReplacement).moves.filter(({ rank }) => wanted.has(rank));
}

/** Each new member where its rank was, by the label over which the gang is spread: so the skew stays. */
function replaceByValue(
  { topology, shape, nodeOfRank, ranks }: Replacing,
  fleet: GangFleet,
  label: string,
): Moves | undefined {
  const valueOf = valuesOf(topology, memberOf(shape), label);
  const room = fleet.room.slice();
  const nodes = nodeOfRank.slice();
  const moves: { rank: number; to: number }[] = [];
  for (const rank of ranks) {
    const former = nodes[rank] ?? UNKNOWN;
    if (former === UNKNOWN) return undefined;
    const value = topology.view(former).labels[label];
    const ofValue = room.map((members, node) => (members > 0 && valueOf(node) === value ? members : 0));
    const gang = { demand: { ...shape.gang }, nodeOfRank: nodes };
    const found = movesOf(replaceMembers(gang, [rank], { tree: fleet.tree, room: ofValue }), [rank]);
    const to = found?.[0]?.to;
    if (to === undefined) return undefined;
    room[to] = (room[to] ?? 0) - 1;
    nodes[rank] = to;
    moves.push({ rank, to });
  }
  return moves;
}

interface Seating {
  readonly workload: WorkloadRecord;
  readonly shape: ShapeOfGang;
  readonly moves: Moves;
}

function toPlacements(
  { workloads }: FleetCore,
  topology: FleetTopology,
  { workload, shape, moves }: Seating,
): readonly Placement[] | undefined {
  const member = memberOf(shape);
  const views = new Map<number, Placement['before']>();
  const placements: Placement[] = [];
  const members = workloads.members(workload.id).length;
  const level = workload.gang?.level ?? levelName(NODE);
  for (const { rank, to, devices: chosen } of moves) {
    const before = views.get(to) ?? topology.view(to);
    const devices = chosen ?? fitNow(before, member);
    // One after the other they may need more than was counted together; then it is tried again later.
    if (!devices) return undefined;
    const after = afterPlacement(before, member, devices);
    views.set(to, after);
    const trace: MemberTrace = {
      nodes: topology.size,
      candidates: moves.length,
      rank,
      members,
      level,
      place: before.name,
    };
    placements.push({
      ...{ workloadId: workload.id, nodeId: before.id, devices, shape: member, before, after },
      trace,
      member: { rank, members, level },
    });
  }
  return placements;
}
