import { assert } from '@clawbernetes/kernel';
import type { AttemptStatus, NodeAttemptState } from '@clawbernetes/protocol';
import type { ExecutionExit, Launch } from '../execution/executor.ts';

/** Which states may follow. The terminal ones are absorbing; a stop may come at any time before. */
const FOLLOWERS: Readonly<Record<NodeAttemptState, readonly NodeAttemptState[]>> = {
  accepted: ['preparing', 'ready', 'running', 'stopping', 'killed', 'lost'],
  preparing: ['ready', 'running', 'stopping', 'killed', 'lost'],
  ready: ['running', 'stopping', 'killed', 'lost'],
  running: ['stopping', 'exited', 'killed', 'lost'],
  stopping: ['stopping', 'exited', 'killed', 'lost'],
  exited: [],
  killed: [],
  lost: [],
};

/** What a change may set; the rest of a status is kept. */
export type StatusChange = Omit<
  Partial<AttemptStatus>,
  'attemptId' | 'epoch' | 'revision' | 'acceptedAtMs'
> & {
  readonly state: NodeAttemptState;
};

/** The first status of an attempt. */
export function acceptedStatus({ attemptId, epoch }: Launch, nowMs: number): AttemptStatus {
  return {
    attemptId,
    epoch,
    revision: 1,
    state: 'accepted',
    acceptedAtMs: nowMs,
    sandbox: 'none',
    limitations: [],
    logEnd: 0,
  };
}

/** The status after `change`, one revision on. */
export function changedStatus(status: AttemptStatus, change: StatusChange): AttemptStatus {
  const { state } = status;
  assert(FOLLOWERS[state].includes(change.state), `an attempt may go from ${state} to ${change.state}`);
  return { ...status, ...change, revision: status.revision + 1 };
}

/**
 * `exited` is the program's own end with a code; whatever a signal, a limit or an order ended was `killed`.
 */
export function endChange(exit: ExecutionExit, logEnd: number): StatusChange {
  const own = exit.exitCode !== undefined && exit.reason === undefined;
  return { ...exit, state: own ? 'exited' : 'killed', logEnd };
}
