import { assert } from '@clawbernetes/kernel';
import { hasEnded, type Cause, type WorkloadState } from '@clawbernetes/protocol';
import { commitWorkload, orderNode, orderStop, type FleetCore } from '../../fleet-core.ts';
import type { AttemptRecord, GangRecord, GangRelease, WorkloadRecord } from '../../records.ts';
import { describeEnd } from '../describe-end.ts';
import { isEnded } from '../lifecycle.ts';
import { wait, waitNoMore } from '../policy/begin-anew.ts';
import { delayBefore } from '../policy/next-step.ts';
import { judgeGang, standingOf, type GangVerdict, type MemberStanding } from './judge-gang.ts';

/**
 * Brings a gang in line with its members: lets their programs begin once all are ready, gives up its places
 * when it cannot go on, and queues it again or ends it once they have all ended.
 */
export function settleGang(core: FleetCore, settled: WorkloadRecord, cause: Cause): WorkloadRecord {
  if (hasEnded(settled.state)) return keep(core, settled, cause);
  const { gang } = settled;
  if (!gang || gang.phase === 'released') return settleWaiting(core, settled, cause);
  const members = core.workloads.members(settled.id);
  const { maxMoves } = core.options;
  const verdict = judgeGang({ workload: settled, gang, members, maxMoves });
  switch (verdict.kind) {
    case 'stay':
      return keep(core, settled, cause);
    case 'begin':
      return begin(core, { ...settled, gang: inPhase(core, gang, 'running') }, members);
    case 'release':
      return releaseGang(core, settled, verdict.release);
    case 'queue':
      return queueAgain(core, settled, gang);
    case 'end':
      return end(core, settled, verdict, cause);
  }
}

/** Gives up all places of a gang: its members are stopped, and what follows comes once they have ended. */
export function releaseGang(core: FleetCore, workload: WorkloadRecord, release: GangRelease): WorkloadRecord {
  const { gang } = workload;
  assert(gang !== undefined, 'a gang that is released had places');
  const releasing = { ...workload, gang: { ...inPhase(core, gang, 'releasing'), release } };
  const { cause, message } = release;
  for (const member of core.workloads.members(workload.id)) {
    if (isEnded(member.state)) continue;
    const stopped = member.evicted ? member : { ...member, evicted: { cause: ofRelease(cause), message } };
    core.workloads.putAttempt(stopped);
    core.writer.writeAttempt(stopped);
    // Somebody who asked for the stop has said how.
    if (!workload.stopRequested) orderStop(core, stopped, workload);
  }
  core.writer.record({
    namespace: workload.namespace,
    type: 'gang.releasing',
    subject: workload.id,
    cause,
    message: `${workload.name} gives up its places: ${message}.`,
    facts: { generation: gang.generation, next: release.next },
  });
  commitWorkload(core, releasing, cause, `${workload.name} is stopping: ${message}.`);
  return settleGang(core, releasing, cause);
}

/** A member that is stopped with the others is not one whose node is given up. */
function ofRelease(cause: Cause): Cause {
  return cause === 'node-loss' ? 'system' : cause;
}

function inPhase({ clock }: FleetCore, gang: GangRecord, phase: GangRecord['phase']): GangRecord {
  return { ...gang, phase, sinceMs: clock.nowMs() };
}

function begin(core: FleetCore, workload: WorkloadRecord, members: readonly AttemptRecord[]): WorkloadRecord {
  for (const member of members) orderRelease(core, member);
  return keep(core, workload, 'scheduler');
}

/** Lets a member begin that waits at its barrier; safe to repeat. */
export function orderRelease(core: FleetCore, { id: attemptId, nodeId, epoch }: AttemptRecord): void {
  orderNode(core, nodeId, { kind: 'release', attemptId, epoch });
}

function queueAgain(core: FleetCore, workload: WorkloadRecord, gang: GangRecord): WorkloadRecord {
  const { release: why, ...released } = inPhase(core, gang, 'released');
  const members = core.workloads.members(workload.id);
  // What makes room for others has done nothing wrong.
  const isPreempted = why?.cause === 'preemptor';
  const hasBegun = members.some(({ startedAtMs }) => startedAtMs !== undefined);
  const inVain = hasBegun || isPreempted ? 0 : (gang.inVain ?? 0) + 1;
  // The first time it was bad luck; then whatever keeps it from getting ready is given time to pass.
  const delayMs = inVain > 1 ? delayBefore(IN_VAIN, inVain - 1) : 0;
  const formerNodeId = members[0]?.nodeId ?? '';
  const next: WorkloadRecord = {
    ...workload,
    gang: { ...released, inVain },
    state: 'queued',
    ...(isPreempted ? {} : { moves: (workload.moves ?? 0) + 1 }),
    anew: { policy: 'move', formerNodeId, delayMs, notBeforeMs: core.clock.nowMs() + delayMs },
  };
  const message = why?.message ?? 'it lost a member';
  commitWorkload(core, next, why?.cause ?? 'system', `${workload.name} waits for other nodes: ${message}.`);
  wait(core, next);
  return next;
}

/** Between reservations of a gang none of which got ready, ms. */
const IN_VAIN = { delayMs: 1000, maxDelayMs: 300_000 } as const;

function settleWaiting(core: FleetCore, workload: WorkloadRecord, cause: Cause): WorkloadRecord {
  if (workload.stopRequested) return end(core, workload, { kind: 'end', state: 'cancelled' }, cause);
  return keep(core, { ...workload, state: 'queued' }, cause);
}

function end(
  core: FleetCore,
  workload: WorkloadRecord,
  { state }: GangVerdict & { readonly kind: 'end' },
  cause: Cause,
): WorkloadRecord {
  const members = core.workloads.members(workload.id);
  const finishedAtMs = Math.max(core.clock.nowMs(), workload.submittedAtMs);
  const next: WorkloadRecord = { ...workload, ...started(members), state, finishedAtMs };
  commitWorkload(core, next, cause, describeGangEnd(next, members));
  waitNoMore(core, workload.id);
  core.writer.whenDurable(() => core.listeners.ended(workload.id));
  return next;
}

function describeGangEnd({ name, state, gang }: WorkloadRecord, members: readonly AttemptRecord[]): string {
  if (state === 'succeeded') return `${name} succeeded: all its members ended well.`;
  const first = spokesman(members);
  if (state === 'cancelled' || !first) return `${name} ${state}.`;
  const why = gang?.release && !gang.release.hasFailed ? `${gang.release.message}; ` : '';
  return `${name} ${state}: ${why}rank ${first.rank ?? 0}: ${describeEnd(first)}.`;
}

/** The member whose end says most of the gang's: the first that failed by itself, else that of rank 0. */
export function spokesman(members: readonly AttemptRecord[]): AttemptRecord | undefined {
  const failed = members
    .filter((member) => standingOf(member) === 'failed')
    .toSorted((left, right) => (left.finishedAtMs ?? 0) - (right.finishedAtMs ?? 0));
  return failed[0] ?? members[0];
}

function keep(core: FleetCore, workload: WorkloadRecord, cause: Cause): WorkloadRecord {
  const members = core.workloads.members(workload.id);
  const state = hasEnded(workload.state) ? workload.state : gangState(workload, members);
  const next = { ...workload, ...started(members), state };
  if (isSame(next, core.workloads.workload(workload.id))) return next;
  commitWorkload(core, next, cause, `${workload.name} is ${state}.`);
  return next;
}

/** Most reports of members change nothing of the gang. */
function isSame(next: WorkloadRecord, known: WorkloadRecord | undefined): boolean {
  if (next.state !== known?.state || next.gang !== known.gang || next.attempts !== known.attempts)
    return false;
  return next.startedAtMs === known.startedAtMs && next.stopRequested === known.stopRequested;
}

function started(members: readonly AttemptRecord[]): Pick<WorkloadRecord, 'startedAtMs'> {
  const times = members.flatMap(({ startedAtMs }) => startedAtMs ?? []);
  return times.length === 0 ? {} : { startedAtMs: Math.min(...times) };
}

const ABSENT: ReadonlySet<MemberStanding> = new Set(['unknown', 'leaving', 'gone']);

/** What a user sees of a gang that has not ended. */
export function gangState(workload: WorkloadRecord, members: readonly AttemptRecord[]): WorkloadState {
  const { gang, stopRequested } = workload;
  if (!gang || gang.phase === 'released') return 'queued';
  if (stopRequested || gang.phase === 'releasing')
    return !stopRequested && gang.release?.cause === 'preemptor' ? 'preempting' : 'stopping';
  const standings = members.map(standingOf);
  if (gang.phase === 'gathering')
    return members.every(({ revision }) => revision === 0) ? 'reserved' : 'preparing';
  if (standings.some((standing) => ABSENT.has(standing))) return 'degraded';
  return standings.some((standing) => standing === 'running' || standing === 'done') ? 'running' : 'starting';
}
