import { assert, newId, present } from '@clawbernetes/kernel';
import { commitAttempt, commitWorkload, type FleetCore } from '../../fleet-core.ts';
import type { AttemptRecord, GangRecord, WorkloadRecord } from '../../records.ts';
import { afterPlacement, partsHeld, type Placement, type PlacedMember } from '../../scheduler/placement.ts';
import { levelText } from '../../scheduler/topology/gpu-level.ts';
import { isProvenEnded } from '../policy/next-step.ts';
import { freeMasterPort, hostsOf } from './member-environment.ts';
import { orderStart } from './order-start.ts';
import { settleGang } from './settle-gang.ts';

type MemberPlacement = Placement & { readonly member: PlacedMember };

/**
 * Gives a gang its places: all of its members and the record of its reservation are of one turn, and so of
 * one batch of the store. @param placements of all members by rank, checked.
 */
export function reserveGang(core: FleetCore, placements: readonly Placement[]): void {
  const members = placements.map(requireMember);
  const first = present(members[0], 'a member of a placed gang');
  const { anew: _, ...waiting } = present(core.workloads.workload(first.workloadId), 'a placed workload');
  if (waiting.spec.exclusive)
    assert(core.workloads.attemptsOf(waiting.id).every(isProvenEnded), 'an exclusive gang runs nowhere else');
  core.pending.remove(waiting.id);
  const gang: GangRecord = {
    generation: (waiting.gang?.generation ?? 0) + 1,
    epoch: core.nextEpoch(),
    size: members.length,
    level: first.member.level,
    masterPort: freeMasterPort(core, first.nodeId),
    phase: 'gathering',
    sinceMs: core.clock.nowMs(),
    ...(waiting.gang?.inVain ? { inVain: waiting.gang.inVain } : {}),
  };
  const workload = { ...waiting, gang, attempts: waiting.attempts + members.length };
  const attempts = members.map((member, at) => {
    const attempt = attemptOf(core, workload, member, waiting.attempts + at + 1);
    commitMember(core, workload, attempt, member);
    return attempt;
  });
  core.writer.record({
    namespace: workload.namespace,
    type: 'gang.reserved',
    subject: workload.id,
    cause: 'scheduler',
    message: `${workload.name} has places for ${members.length} members within one ${levelText(gang.level)}.`,
    facts: { generation: gang.generation, members: members.length, level: gang.level },
  });
  const reserved = settleGang(core, workload, 'scheduler');
  const hosts = hostsOf(core, workload.id);
  for (const attempt of attempts) orderStart(core, attempt, reserved, hosts);
}

/** Gives one more member, or one in the place of another, to a gang that runs; it joins at once. */
export function addMember(core: FleetCore, workload: WorkloadRecord, placement: Placement): WorkloadRecord {
  const member = requireMember(placement);
  const { nodeId, shape, devices } = placement;
  const former = core.workloads.members(workload.id)[member.member.rank];
  if (former && workload.spec.exclusive)
    assert(isProvenEnded(former), 'a rank of an exclusive gang runs nowhere else');
  const view = core.nodes.view(present(core.nodes.node(nodeId), 'the node of a placement'));
  // The place may have been chosen from less than there is: what is kept there for others is left out.
  const after = afterPlacement(view, shape, devices);
  const next = { ...workload, attempts: workload.attempts + 1 };
  const attempt = attemptOf(core, next, member, next.attempts);
  commitMember(core, next, attempt, { ...member, after });
  commitWorkload(core, next, 'scheduler', `${workload.name} has a new member.`);
  orderStart(core, attempt, next);
  return next;
}

function requireMember(placement: Placement): MemberPlacement {
  const { member } = placement;
  assert(member !== undefined, 'a gang is placed as members');
  return { ...placement, member };
}

function attemptOf(
  { clock, random }: FleetCore,
  { id: workloadId, namespace, gang }: WorkloadRecord,
  { nodeId, devices, shape, member, before }: MemberPlacement,
  number: number,
): AttemptRecord {
  const { generation, epoch } = present(gang, 'the reservation of a gang');
  return {
    id: newId('at', clock, random),
    ...{ workloadId, namespace, number, rank: member.rank, generation, nodeId, devices },
    ...partsHeld({ devices, shape, before }),
    cpuMilli: shape.cpuMilli,
    memoryMib: shape.memoryMib,
    epoch,
    state: 'placed',
    revision: 0,
    limitations: [],
    placedAtMs: clock.nowMs(),
    logEnd: 0,
  };
}

function commitMember(
  core: FleetCore,
  workload: WorkloadRecord,
  attempt: AttemptRecord,
  { after, trace, member }: MemberPlacement,
): void {
  const node = present(core.nodes.node(attempt.nodeId), 'the node of a placement');
  const why = `The member of rank ${member.rank} of ${workload.name} was placed on ${node.name}.`;
  commitAttempt(core, attempt, 'scheduler', why, { ...trace });
  core.nodes.placed(after);
}
