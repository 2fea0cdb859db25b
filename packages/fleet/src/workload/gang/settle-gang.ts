import { assert } from '@clawbernetes/kernel';
import { hasEnded, type Cause, type WorkloadState } from '@clawbernetes/protocol';
import { commitWorkload, orderNode, orderStop, type FleetCore } from '../../fleet-core.ts';
import type { AttemptRecord, GangRecord, GangRelease, WorkloadRecord } from '../../records.ts';
import { describeEnd } from '../describe-end.ts';
import { isEnded } from '../lifecycle.ts';
import { nodeIsLeft, wait, waitNoMore } from '../policy/begin-anew.ts';
import type { NextStep } from '../policy/next-step.ts';
import { describeBeginning, describeObstruction } from '../policy/policy-words.ts';
import { isLostMember, judgeGang, standingOf, type GangEnd, type MemberStanding } from './judge-gang.ts';
import { inVainAfter, nextGangStep, spokesman } from './next-gang-step.ts';

/**
 * Brings a gang in line with its members: lets their programs begin once all are ready, gives up its places
 * when it cannot go on, and queues it again or ends it once they have all ended.
 */
export function settleGang(core: FleetCore, settled: WorkloadRecord, cause: Cause): WorkloadRecord {
  if (hasEnded(settled.state)) return keep(core, settled, cause);
  const { gang } = settled;
  if (!gang || gang.phase === 'released') return settleWaiting(core, settled, cause);
  const members = core.workloads.members(settled.id);
  const verdict = judgeGang({ workload: settled, gang, members });
  switch (verdict.kind) {
    case 'stay':
      return keep(core, settled, cause);
    case 'begin':
      return begin(core, settled, gang, members);
    case 'release':
      return releaseGang(core, settled, verdict.release);
    case 'over':
      return goOn(core, settled, { gang, end: verdict.end, cause });
    case 'cancelled':
      return endGang(core, settled, { state: 'cancelled', cause });
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

function begin(
  core: FleetCore,
  workload: WorkloadRecord,
  gang: GangRecord,
  members: readonly AttemptRecord[],
): WorkloadRecord {
  for (const member of members) orderRelease(core, member);
  const running = inPhase(core, gang, 'running');
  return keep(core, { ...workload, gang: { ...running, begunAtMs: running.sinceMs } }, 'scheduler');
}

/** Lets a member begin that waits at its barrier; safe to repeat. */
export function orderRelease(core: FleetCore, { id: attemptId, nodeId, epoch }: AttemptRecord): void {
  orderNode(core, nodeId, { kind: 'release', attemptId, epoch });
}

interface Over {
  readonly gang: GangRecord;
  readonly end: GangEnd;
  readonly cause: Cause;
}

/** What follows a reservation that is over, decided here once. */
function goOn(core: FleetCore, workload: WorkloadRecord, { gang, end, cause }: Over): WorkloadRecord {
  const members = core.workloads.members(workload.id);
  const { maxMoves, gangGraceMs: graceMs } = core.options;
  const step = nextGangStep(
    { workload, gang, members, end },
    {
      nowMs: core.clock.nowMs(),
      placesAreLeft: members.some((one) => isLostMember(one) || nodeIsLeft(core, one.nodeId, workload)),
      ...{ maxMoves, graceMs },
    },
  );
  const state = end === 'good' ? 'succeeded' : 'failed';
  if (step.step === 'end') return endGang(core, workload, { state, cause, step });
  return queueAgain(core, workload, { gang, end, step });
}

function queueAgain(
  core: FleetCore,
  workload: WorkloadRecord,
  { gang, end, step }: Pick<Over, 'gang' | 'end'> & { readonly step: NextStep & { readonly step: 'begin' } },
): WorkloadRecord {
  const { release: why, ...released } = inPhase(core, gang, 'released');
  const { anew, tries } = step;
  const members = core.workloads.members(workload.id);
  const isMove = anew.policy === 'move' && end !== 'preempted';
  const next: WorkloadRecord = {
    ...workload,
    gang: { ...released, inVain: inVainAfter(gang, members, end) },
    state: 'queued',
    ...(isMove ? { moves: (workload.moves ?? 0) + 1 } : {}),
    ...(tries ? { tries } : {}),
    anew,
  };
  commitWorkload(core, next, why?.cause ?? 'system', describeQueued(core, next, why, members));
  wait(core, next);
  return next;
}

function describeQueued(
  core: FleetCore,
  workload: WorkloadRecord,
  why: GangRelease | undefined,
  members: readonly AttemptRecord[],
): string {
  const { name, anew, gang } = workload;
  const message = why?.message ?? 'its members have ended';
  if (!anew || anew.policy === 'move') return `${name} waits for other nodes: ${message}.`;
  const first = why?.hasFailed ? spokesman(members) : undefined;
  const end = first ? `rank ${first.rank ?? 0}: ${describeEnd(first)}` : message;
  const former = core.nodes.node(anew.formerNodeId)?.name ?? anew.formerNodeId;
  const beginning = describeBeginning(workload, former, anew.delayMs);
  return `Reservation ${gang?.generation ?? 0} of ${name} is over: ${end}. It ${beginning}.`;
}

function settleWaiting(core: FleetCore, workload: WorkloadRecord, cause: Cause): WorkloadRecord {
  if (workload.stopRequested) return endGang(core, workload, { state: 'cancelled', cause });
  return keep(core, { ...workload, state: 'queued' }, cause);
}

export interface GangOutcome {
  readonly state: 'succeeded' | 'failed' | 'cancelled';
  readonly cause: Cause;
  /** Why it does not begin anew, if that was decided. */
  readonly step?: NextStep;
}

/** Ends a gang of which no member is left. */
export function endGang(
  core: FleetCore,
  workload: WorkloadRecord,
  { state, cause, step }: GangOutcome,
): WorkloadRecord {
  const members = core.workloads.members(workload.id);
  const finishedAtMs = Math.max(core.clock.nowMs(), workload.submittedAtMs);
  const next: WorkloadRecord = { ...workload, ...started(members), state, finishedAtMs };
  const obstruction = describeObstruction(next, step);
  commitWorkload(core, next, cause, `${describeGangEnd(next, members)}${obstruction}`);
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
