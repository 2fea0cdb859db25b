import { assert } from '@clawbernetes/kernel';
import {
  isTerminal,
  type AttemptState,
  type AttemptStatus,
  type WorkloadState,
} from '@clawbernetes/protocol';
import type { AttemptRecord, WorkloadRecord } from '../records.ts';

const RANK: Record<AttemptState, number> = {
  placed: 0,
  offered: 1,
  accepted: 2,
  preparing: 3,
  ready: 4,
  running: 5,
  stopping: 6,
  exited: 7,
  killed: 7,
  lost: 7,
};

export function isEnded(state: AttemptState): boolean {
  return RANK[state] === RANK.exited;
}

/** An attempt only moves forward; terminal states are absorbing. */
export function mayBecome(from: AttemptState, to: AttemptState): boolean {
  return RANK[from] < RANK[to];
}

/**
 * The attempt after its node's report, or undefined if the report says nothing new: a repeat, a late one, or
 * one for an attempt that has ended. A report also proves contact, so the `unknown` overlay goes.
 */
export function afterReport(attempt: AttemptRecord, status: AttemptStatus): AttemptRecord | undefined {
  assert(status.attemptId === attempt.id, 'a report belongs to its attempt');
  if (isEnded(attempt.state) || status.revision <= attempt.revision) return undefined;
  const { unknownSinceMs: _, ...known } = attempt;
  return {
    ...known,
    state: mayBecome(attempt.state, status.state) ? status.state : attempt.state,
    revision: status.revision,
    sandbox: status.sandbox,
    limitations: status.limitations,
    logEnd: status.logEnd,
    ...(status.startedAtMs === undefined ? {} : { startedAtMs: status.startedAtMs }),
    ...(status.message === undefined ? {} : { message: status.message }),
    ...(isTerminal(status.state) ? endFacts(status) : {}),
  };
}

function endFacts(status: AttemptStatus): Partial<AttemptRecord> {
  return {
    ...(status.exitCode === undefined ? {} : { exitCode: status.exitCode }),
    ...(status.signal === undefined ? {} : { signal: status.signal }),
    ...(status.reason === undefined ? {} : { endReason: status.reason }),
    ...(status.finishedAtMs === undefined ? {} : { finishedAtMs: status.finishedAtMs }),
  };
}

const LIVE_STATES: Record<Exclude<AttemptState, 'exited' | 'killed' | 'lost'>, WorkloadState> = {
  placed: 'reserved',
  offered: 'reserved',
  accepted: 'preparing',
  preparing: 'preparing',
  ready: 'starting',
  running: 'running',
  stopping: 'stopping',
};

/** What a user sees of a workload whose latest attempt is `attempt`. */
export function deriveState(workload: WorkloadRecord, attempt: AttemptRecord | undefined): WorkloadState {
  if (attempt === undefined) return workload.stopRequested ? 'cancelled' : 'queued';
  const { state } = attempt;
  if (state !== 'exited' && state !== 'killed' && state !== 'lost') {
    if (workload.stopRequested || !attempt.evicted)
      return workload.stopRequested ? 'stopping' : LIVE_STATES[state];
    return attempt.evicted.cause === 'preemptor' ? 'preempting' : 'stopping';
  }
  if (workload.stopRequested) return 'cancelled';
  if (workload.waitsAfter === attempt.number) return 'queued';
  return state === 'exited' && attempt.exitCode === 0 ? 'succeeded' : 'failed';
}
