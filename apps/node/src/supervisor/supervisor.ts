import type { AttemptStatus } from '@clawbernetes/protocol';
import type { ExecRequest, ExecResult, ExecutionStats, Launch } from '../execution/executor.ts';

/**
 * Owner of a node's workloads: children, cgroups, log files and exit records. It lives in a process of its
 * own, so that the agent may die or be upgraded while workloads run; the simulator has a virtual one. Every
 * method may be repeated safely.
 */
export interface Supervisor extends AsyncDisposable {
  /**
   * Records and starts an attempt; answers as soon as it is durably accepted. A known attempt id answers its
   * present status. @throws CodedError `stale-epoch` when a newer epoch of the same workload was seen, or the
   * attempt has ended and was forgotten; `supervisor-storage` when it cannot be recorded;
   * `too-many-attempts`; `no-contact` when it may not run without the gateway and was ordered too long ago.
   */
  launch(launch: Launch): Promise<AttemptStatus>;
  /** Stops an attempt; unknown or ended ones are left as they are. */
  stop(attemptId: string, options: { readonly graceMs: number }): Promise<void>;
  /** Lets an attempt with a barrier begin; others are left as they are. Safe to repeat. */
  release(attemptId: string): Promise<void>;
  /**
   * Time of the machine in ms, with the time that it slept: rises whatever its clock is set to, and is the
   * same for the agent and the supervisor.
   */
  uptimeMs(): number;
  /**
   * The gateway has answered what this agent sent at `sentMs` of `uptimeMs`. Late and repeated ones are
   * harmless.
   */
  contact(sentMs: number): Promise<void>;
  /** All attempts that are not forgotten, the ended ones included. */
  list(): Promise<readonly AttemptStatus[]>;
  /** Drops an ended attempt and its log: its end is stored elsewhere. */
  forget(attemptIds: readonly string[]): Promise<void>;
  /** @throws CodedError `attempt-not-running`. */
  exec(attemptId: string, request: ExecRequest): Promise<ExecResult>;
  /** @throws CodedError `attempt-not-running`. */
  stats(attemptId: string): Promise<ExecutionStats>;
  /** Bytes of the attempt's segment log from `position` on; see packages/telemetry. */
  readLog(attemptId: string, position: number, maxBytes: number): Promise<LogSlice>;
  /** Called with every new status, in order per attempt. */
  onStatus(listener: (status: AttemptStatus) => void): void;
  /** Called when an attempt's log has grown to `end`; may be called less often than bytes arrive. */
  onLog(listener: (attemptId: string, end: number) => void): void;
  /** The supervisor itself is gone. */
  onLost(listener: (reason: string) => void): void;
}

export interface LogSlice {
  /** Where `records` begin: later than asked if the log was rotated past it. */
  readonly position: number;
  readonly records: Uint8Array;
  readonly end: number;
}
