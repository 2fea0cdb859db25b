import type { Epoch } from './epoch.ts';

/** What a node reports of an attempt, in order of life; the last three are terminal and absorbing. */
export const NODE_ATTEMPT_STATES = [
  'accepted',
  'preparing',
  'ready',
  'running',
  'stopping',
  'exited',
  'killed',
  'lost',
] as const;
export type NodeAttemptState = (typeof NODE_ATTEMPT_STATES)[number];

/** Why an attempt did not end by its own exit. */
export const END_REASONS = [
  'out-of-memory',
  'timeout',
  'stopped',
  'command-not-found',
  'command-not-executable',
  'image-not-found',
  'sandbox-unavailable',
  'executor-unavailable',
  'launch-failed',
  'supervisor-lost',
  'node-restarted',
  /** Its node had no contact with the gateway for longer than it may run without. */
  'disconnected',
] as const;
export type EndReason = (typeof END_REASONS)[number];

/** An attempt as its node knows it. `exited` has an exit code; `killed` has a signal or a reason, or both. */
export interface AttemptStatus {
  readonly attemptId: string;
  readonly epoch: Epoch;
  /** Rises by one with every change. */
  readonly revision: number;
  readonly state: NodeAttemptState;
  readonly exitCode?: number;
  /** Such as `SIGKILL`. */
  readonly signal?: string;
  readonly reason?: EndReason;
  /** What happened, for a person. */
  readonly message?: string;
  readonly acceptedAtMs: number;
  readonly startedAtMs?: number;
  readonly finishedAtMs?: number;
  readonly sandbox: 'bubblewrap' | 'container' | 'none';
  readonly limitations: readonly string[];
  /** End of the log, bytes; final once terminal. */
  readonly logEnd: number;
}

export function isTerminal(state: NodeAttemptState): boolean {
  return state === 'exited' || state === 'killed' || state === 'lost';
}
