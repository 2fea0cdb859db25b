import { assert, present } from '@clawbernetes/kernel';
import type { Draft } from '../draft.ts';
import { fitNow, membersThatFit, neverFits, reluctance } from '../fit.ts';
import { gpusForMembers, tightestPart } from '../gpu-fit.ts';
import { inOnePart } from '../gpu-parts.ts';
import { afterPlacement, type MemberTrace, type Placement } from '../placement.ts';
import type { Shape } from '../resources.ts';
import type { SnapshotNode } from '../snapshot.ts';
import { levelNumber, ROOT } from '../topology/topology-tree.ts';
import type { FleetTopology } from './fleet-topology.ts';
import type { GangFleet } from './gang-demand.ts';
import type { GangPlacement, GangPlan, GangRefusal } from './gang-plan.ts';
import { memberOf, type ShapeOfGang } from './member-shape.ts';
import { planGang } from './plan-gang.ts';
import { spreadRoom } from './spread-room.ts';
import { inTopologyOrder, tightestSeat, wishesOf, type Standing } from './within-node.ts';

/**
 * Places a whole gang on the nodes of a draft, or nothing of it: members in the order of their ranks. Why it
 * has no place is found out when somebody asks (`explainGang`).
 */
export function placeGang(
  draft: Draft,
  topology: FleetTopology,
  gang: WaitingGang,
): readonly Placement[] | undefined {
  return isSurelyFull(topology, gang.shape) ? undefined : placeInDraft(draft, topology, gang);
}

export interface WaitingGang {
  readonly workloadId: string;
  readonly shape: ShapeOfGang;
}

/** The same where nodes of the draft may have more room than the topology knows of. */
export function placeInDraft(
  draft: Draft,
  topology: FleetTopology,
  gang: WaitingGang,
): readonly Placement[] | undefined {
  if (!gang.shape.gang.within) return placeWish(draft, topology, gang);
  for (const shape of wishesOf(gang.shape)) {
    const placed = placeWish(draft, topology, { ...gang, shape });
    if (placed) return placed;
  }
  return undefined;
}

function placeWish(
  draft: Draft,
  topology: FleetTopology,
  { workloadId, shape }: WaitingGang,
): readonly Placement[] | undefined {
  const fleet = gangFleet(topology, shape, draft.moved());
  const plan = planShape(topology, fleet, shape);
  if (plan.kind === 'refusal') return undefined;
  const trace = { nodes: topology.size, candidates: countAble(fleet.room) };
  const standing =
    memberOf(shape).within === undefined
      ? { ...plan, place: plan.place.name }
      : seatInDraft(draft, topology, { shape, fleet, plan });
  return standing.placements.flatMap((placement) =>
    placeMembers(draft, topology, { workloadId, shape, standing, placement, trace }),
  );
}

/** Where the whole gang stands on one part of a node. One that spreads stays on the node that was chosen. */
function seatInDraft(
  draft: Draft,
  topology: FleetTopology,
  { shape, fleet, plan }: { readonly shape: ShapeOfGang; readonly fleet: GangFleet; readonly plan: GangPlan },
): Standing {
  const { tree } = fleet;
  const numbers = shape.gang.spread
    ? plan.placements.values().map(({ node }) => node)
    : fleet.room.keys().filter((node) => tree.has(node));
  const nodes = numbers.flatMap((node): [number, SnapshotNode][] => {
    const view = draft.node(topology.view(node).id);
    return view ? [[node, view]] : [];
  });
  return present(tightestSeat(fleet, shape, plan.members, nodes), 'a part of a node that was counted');
}

/** The fleet as the members of a gang see it. @param moved nodes that differ from what the topology knows. */
export function gangFleet(
  topology: FleetTopology,
  shape: Shape,
  moved: Iterable<SnapshotNode> = [],
): GangFleet & { readonly room: Int32Array; readonly members: Int32Array } {
  const member = memberOf(shape);
  const { tree } = topology;
  const known = topology.capacity(member);
  let { room, members } = known;
  for (const view of moved) {
    const node = topology.number(view.id);
    if (node === undefined) continue;
    if (room === known.room) [room, members] = [room.slice(), members.slice()];
    const change = membersThatFit(view, member) - (room[node] ?? 0);
    room[node] = (room[node] ?? 0) + change;
    for (const domain of tree.path(node)) members[domain] = (members[domain] ?? 0) + change;
  }
  const isPicky = member.affinity !== undefined || member.nvlink === 'preferred';
  return {
    tree,
    room,
    members,
    penalty: (node) => {
      const view = topology.view(node);
      return isPicky || view.taints ? reluctance(view, member) : 0;
    },
  };
}

/** The plan of a gang as its shape asks for it, spread included. */
export function planShape(
  topology: FleetTopology,
  fleet: GangFleet,
  shape: ShapeOfGang,
): GangPlan | GangRefusal {
  const { spread, within: _within, ...demand } = shape.gang;
  if (!spread) return planGang(fleet, demand);
  const valueOf = valuesOf(topology, memberOf(shape), spread.by);
  const choice = spreadRoom({ ...fleet, valueOf }, demand, spread);
  const { members: _, ...rest } = fleet;
  if (!choice) return planGang({ ...rest, room: new Int32Array(fleet.room.length) }, demand);
  const { members } = choice;
  return planGang({ ...rest, room: choice.room }, { ...demand, members: { min: members, max: members } });
}

/** Values of a label on the nodes that could take a member if they were empty, and take work now. */
export function valuesOf(
  topology: FleetTopology,
  member: Shape,
  label: string,
): (node: number) => string | undefined {
  return (node) => {
    const view = topology.view(node);
    const value = Object.hasOwn(view.labels, label) ? view.labels[label] : undefined;
    return value === undefined || !view.schedulable || neverFits(view, member) !== undefined
      ? undefined
      : value;
  };
}

/**
 * Told from sums alone, before the placements of the plan, so that many gangs that wait cost a plan little.
 * May err to the other side only.
 */
function isSurelyFull(topology: FleetTopology, shape: ShapeOfGang): boolean {
  const { gang } = shape;
  const { min } = gang.members;
  const { members } = topology.capacity(memberOf(shape));
  if ((members[ROOT] ?? 0) < min) return true;
  if (gang.topology?.rule !== 'required') return false;
  const level = Math.min(levelNumber(gang.topology.level), LOWEST_DOMAINS);
  return topology.tree.domainsAt(level).every((domain) => (members[domain] ?? 0) < min);
}

/** NVLink domains, whose children are nodes. */
const LOWEST_DOMAINS = 3;

function countAble(room: Int32Array): number {
  let able = 0;
  for (const members of room) if (members > 0) able += 1;
  return able;
}

interface Placing {
  readonly workloadId: string;
  readonly shape: ShapeOfGang;
  readonly standing: Standing;
  readonly placement: GangPlacement;
  readonly trace: Pick<MemberTrace, 'nodes' | 'candidates'>;
}

function placeMembers(draft: Draft, topology: FleetTopology, placing: Placing): readonly Placement[] {
  const { workloadId, shape, standing, placement, trace } = placing;
  const member = memberOf(shape);
  const nodeId = topology.view(placement.node).id;
  let node = present(draft.node(nodeId), 'a node of the plan');
  const gangTrace: Omit<MemberTrace, 'rank'> = {
    ...trace,
    members: standing.members,
    level: standing.level,
    place: standing.place,
  };
  return devicesFor(node, member, placement.members).map((devices, at): Placement => {
    const rank = placement.firstRank + at;
    const memberTrace: MemberTrace = { ...gangTrace, rank };
    const before = node;
    node = afterPlacement(before, member, devices);
    draft.replace(before, node);
    return {
      ...{ workloadId, nodeId, devices, shape: member, before, after: node },
      trace: memberTrace,
      member: { rank, members: standing.members, level: standing.level },
    };
  });
}

/** GPUs for each of so many members, which were counted. */
export function devicesFor(
  node: SnapshotNode,
  member: Shape,
  members: number,
): readonly (readonly string[])[] {
  if (member.within !== undefined) {
    const part = present(
      tightestPart(node, member, members),
      'a part of a node for members that were counted',
    );
    return inTopologyOrder(node, devicesFor(part.node, inOnePart(member), members));
  }
  if (member.gpus > 0 && member.gpuMilli === undefined && members > 1)
    return gpusForMembers(node, member, members);
  const given: (readonly string[])[] = [];
  for (let now = node; given.length < members;) {
    const devices = fitNow(now, member);
    assert(devices !== undefined, 'members that were counted fit');
    given.push(devices);
    now = afterPlacement(now, member, devices);
  }
  return given;
}

/** Room for its members is counted on every node. */
export function looksOfGang({ size }: FleetTopology): number {
  return 10 + size / 4;
}
