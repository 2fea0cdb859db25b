import type { EndReason } from '@clawbernetes/protocol';
import type { AttemptRecord, GangRecord, GangRelease, WorkloadRecord } from '../../records.ts';
import { isEnded } from '../lifecycle.ts';

/**
 * How a member is doing. `unknown`: its node is out of reach, it may be back. `leaving`: it is being stopped.
 * `gone`: it ended with its node or was taken off it, or is given up though nobody knows. `failed`: it ended
 * badly by itself.
 */
export type MemberStanding =
  'preparing' | 'ready' | 'running' | 'unknown' | 'leaving' | 'gone' | 'failed' | 'done';

/** Ends that say nothing of the program. `stopped` without an order of ours: its node was shut down. */
const OF_THE_NODE: ReadonlySet<EndReason | undefined> = new Set([
  'supervisor-lost',
  'node-restarted',
  'executor-unavailable',
  'disconnected',
  'stopped',
]);

export function standingOf(member: AttemptRecord): MemberStanding {
  const { state, exitCode, evicted, endReason, unknownSinceMs } = member;
  if (isEnded(state)) {
    if (state === 'exited' && exitCode === 0) return 'done';
    return evicted || state === 'lost' || OF_THE_NODE.has(endReason) ? 'gone' : 'failed';
  }
  if (unknownSinceMs !== undefined) return isGivenUp(member) ? 'gone' : 'unknown';
  if (evicted) return 'leaving';
  if (state === 'ready') return 'ready';
  return state === 'running' || state === 'stopping' ? 'running' : 'preparing';
}

/** Its node was out of reach for too long: another takes its rank, and it is stopped if it comes back. */
export function isGivenUp({ evicted }: AttemptRecord): boolean {
  return evicted?.cause === 'node-loss';
}

/**
 * How a reservation was over, as far as it decides what follows. `loss`: of a member with its node. `move`:
 * the fleet took it off its nodes. `given-up`: the same, where it wants no others.
 */
export type GangEnd = 'good' | 'failure' | 'time-limit' | 'loss' | 'move' | 'preempted' | 'given-up';

/** What follows for a gang as a whole. */
export type GangVerdict =
  | { readonly kind: 'stay' }
  /** All are ready: their programs may begin. */
  | { readonly kind: 'begin' }
  | { readonly kind: 'release'; readonly release: GangRelease }
  /** Its members have ended: what follows is the business of `nextGangStep`. */
  | { readonly kind: 'over'; readonly end: GangEnd }
  | { readonly kind: 'cancelled' };

export interface GangFacts {
  readonly workload: WorkloadRecord;
  readonly gang: GangRecord;
  /** By rank. */
  readonly members: readonly AttemptRecord[];
}

/** Pure; time plays no part in it: see `GangCare`. */
export function judgeGang(facts: GangFacts): GangVerdict {
  const { workload, gang } = facts;
  if (gang.phase === 'released') return STAY;
  if (gang.phase === 'releasing') return judgeReleasing(facts, gang.release);
  if (workload.stopRequested)
    return release({ next: 'end', cause: 'user', message: 'its stop was asked for' });
  const standings = facts.members.map(standingOf);
  const failed = facts.members.find((_, index) => standings[index] === 'failed');
  if (failed)
    return release({
      ...{ next: 'end', cause: 'node', hasFailed: true },
      message: `its member of rank ${failed.rank ?? 0} failed`,
    });
  return gang.phase === 'gathering' ? judgeGathering(facts, standings) : judgeRunning(facts, standings);
}

const STAY: GangVerdict = { kind: 'stay' };

function release(why: GangRelease): GangVerdict {
  return { kind: 'release', release: why };
}

function over(end: GangEnd): GangVerdict {
  return { kind: 'over', end };
}

/** Nothing has begun, so nothing is lost by beginning anew. */
function judgeGathering({ members }: GangFacts, standings: readonly MemberStanding[]): GangVerdict {
  const missing = standings.findIndex((standing) => standing === 'gone' || standing === 'leaving');
  if (missing >= 0) return release(lossOf(members[missing]));
  const isReady = standings.every((standing) => standing === 'ready' || standing === 'running');
  return isReady ? { kind: 'begin' } : STAY;
}

function judgeRunning({ workload, members }: GangFacts, standings: readonly MemberStanding[]): GangVerdict {
  const leaving = standings.findIndex((standing) => standing === 'leaving');
  if (leaving >= 0 && workload.spec.reschedule?.evicted === 'end')
    return release({ ...lossOf(members[leaving]), next: 'end' });
  const done = standings.filter((standing) => standing === 'done').length;
  const gone = standings.filter((standing) => standing === 'gone').length;
  if (done === 0 || done + gone < members.length) return STAY;
  if (done >= minMembers(workload)) return over('good');
  return release(lossOf(members[standings.indexOf('gone')]));
}

export function minMembers({ spec: { gang } }: WorkloadRecord): number {
  return gang?.minMembers ?? gang?.members ?? 1;
}

/** Beginning anew because of one member. */
export function lossOf(member: AttemptRecord | undefined): GangRelease {
  const why = member?.evicted?.message ?? member?.message ?? 'its node lost it';
  return {
    next: 'queue',
    cause: member?.evicted?.cause ?? 'node-loss',
    message: `it lost its member of rank ${member?.rank ?? 0}: ${why.replace(/\.$/, '')}`,
  };
}

function judgeReleasing({ workload, members }: GangFacts, why?: GangRelease): GangVerdict {
  // Of exclusive work no rank may be there twice: silence alone does not end a member of it.
  const isOver = (member: AttemptRecord): boolean =>
    isEnded(member.state) || (workload.spec.exclusive !== true && standingOf(member) === 'gone');
  if (!members.every(isOver)) return STAY;
  if (workload.stopRequested) return { kind: 'cancelled' };
  if (members.every((member) => standingOf(member) === 'done')) return over('good');
  if (why?.next === 'queue') return over(endOfRelease(why));
  if (why?.hasFailed !== true) return over('given-up');
  // The others may have failed because one was gone.
  if (members.some(isLostMember)) return over('loss');
  if (members.some((member) => isTakenAway(member, why))) return over('move');
  const isTimeUp = members.some(({ endReason }) => endReason === 'timeout');
  return over(isTimeUp ? 'time-limit' : 'failure');
}

function endOfRelease({ cause }: GangRelease): GangEnd {
  if (cause === 'preemptor') return 'preempted';
  return cause === 'node-loss' ? 'loss' : 'move';
}

/** Its node, or what ran it there, took it along: nobody stopped it. */
export function isLostMember(member: AttemptRecord): boolean {
  if (isGivenUp(member) || member.state === 'lost') return true;
  return isEnded(member.state) && member.endReason !== 'stopped' && OF_THE_NODE.has(member.endReason);
}

function isTakenAway({ evicted }: AttemptRecord, why: GangRelease): boolean {
  return evicted !== undefined && evicted.message !== why.message;
}
