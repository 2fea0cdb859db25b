import { membersOfGpus } from '../gpu-fit.ts';
import { inOnePart, partsOf } from '../gpu-parts.ts';
import type { Shape } from '../resources.ts';
import type { SnapshotNode } from '../snapshot.ts';
import { ROOT } from '../topology/topology-tree.ts';
import type { FleetTopology } from './fleet-topology.ts';
import type { GangFleet } from './gang-demand.ts';
import type { GangRefusal, Shortfall } from './gang-plan.ts';

type EmptyRoom = (node: number) => number;

/**
 * A refusal of a gang that must stand on one part of a node, planned as one that must stand on a node with
 * the room of its best part: told of that part, and of what fits into the fleet as other nodes are wide.
 */
export function refusalOfPart(
  topology: FleetTopology,
  { room }: GangFleet,
  member: Shape,
  { refusal, emptyRoom }: { readonly refusal: GangRefusal; readonly emptyRoom: EmptyRoom },
): GangRefusal {
  const anywhere = topology.capacity(inOnePart(member)).members[ROOT] ?? 0;
  const { whenEmpty, reason, demand } = refusal;
  const later = anywhere >= demand.members.min ? 'topology' : 'waiting-for-capacity';
  const nameNow = roomiest(
    topology,
    (node) => room[node] ?? 0,
    (view) => partName(view, member),
  );
  const nameOfEmpty = (): string | undefined =>
    roomiest(topology, emptyRoom, (view) => partName(view.empty ?? view, member));
  return {
    ...named(refusal, nameNow),
    ...{ kind: 'refusal', anywhere, demand, trace: refusal.trace },
    reason: reason === 'never-fits' ? reason : later,
    ...(whenEmpty
      ? {
          whenEmpty: { ...named(whenEmpty, nameOfEmpty()), anywhere: Math.max(anywhere, whenEmpty.anywhere) },
        }
      : {}),
  };
}

function named(shortfall: Shortfall, name: string | undefined): Shortfall {
  const { nearest } = shortfall;
  return nearest && name !== undefined ? { ...shortfall, nearest: { ...nearest, name } } : shortfall;
}

/** The node with most room, by the name of its part. */
function roomiest(
  topology: FleetTopology,
  roomOf: (node: number) => number,
  nameOf: (view: SnapshotNode) => string,
): string | undefined {
  const { tree } = topology;
  let best: number | undefined;
  let most = -1;
  for (let node = 0; node < tree.nodeSlots; node += 1) {
    const room = tree.has(node) ? roomOf(node) : -1;
    if (room > most) [best, most] = [node, room];
  }
  return best === undefined ? undefined : nameOf(topology.view(best));
}

/** Of the part of a node with room for most members, by its GPUs. */
function partName(node: SnapshotNode, member: Shape): string {
  let [name, most] = [node.name, -1];
  const alone = inOnePart(member);
  for (const part of member.within === undefined ? [] : partsOf(node, member.within)) {
    const members = membersOfGpus(part.node, alone);
    if (members > most) [name, most] = [`${node.name}/${part.name}`, members];
  }
  return name;
}
