import { fitNow } from '../../scheduler/fit.ts';
import type { FleetCore } from '../../fleet-core.ts';
import type { AttemptRecord, GangRecord, WorkloadRecord } from '../../records.ts';
import type { FleetTopology } from '../../scheduler/gang/fleet-topology.ts';
import type { GangFleet } from '../../scheduler/gang/gang-demand.ts';
import { isGang, memberOf, type ShapeOfGang } from '../../scheduler/gang/member-shape.ts';
import { gangFleet, valuesOf } from '../../scheduler/gang/place-gang.ts';
import { replaceMembers, type GangReplacement } from '../../scheduler/gang/replace-members.ts';
import { afterPlacement, type MemberTrace, type Placement } from '../../scheduler/placement.ts';
import { shapeOf } from '../../scheduler/resources.ts';
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
  const nodeOfRank = nodesOf(core, topology, seats);
  const replaced = replaceEvenly({ topology, shape, nodeOfRank, ranks });
  return replaced && toPlacements(core, topology, { workload, shape, moves: replaced });
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

type Moves = readonly { readonly rank: number; readonly to: number }[];

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
  for (const { rank, to } of moves) {
    const before = views.get(to) ?? topology.view(to);
    const devices = fitNow(before, member);
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
