import type { AttemptStatus } from '@clawbernetes/protocol';
import type { ExecRequest, ExecutionStats, Executor, Launch } from '../execution/executor.ts';

/** Version of the messages in this file. An older supervisor that runs workloads is used, never stopped. */
export const PROTOCOL_VERSION = 3;
/** The first that holds attempts at a barrier: an older one would begin them at once. */
export const BARRIER_PROTOCOL_VERSION = 2;
/** The first that ends work which may not run without contact: an older one would let it run. */
export const CONTACT_PROTOCOL_VERSION = 3;
/** Oldest version that this one understands, of either side. */
export const OLDEST_PROTOCOL_VERSION = 1;

/** Longest part of a log that one answer carries. */
export const MAX_LOG_SLICE_BYTES = 1024 * 1024;
/** Most output per stream that an `exec` answer carries. */
export const MAX_EXEC_OUTPUT_BYTES = 1024 * 1024;

export interface Welcome {
  readonly protocol: number;
  readonly oldestProtocol: number;
  /** Version of the package it was started from. */
  readonly version: string;
  /** Digest of the settings that it was started with. */
  readonly settings: string;
  readonly pid: number;
  readonly liveAttempts: number;
}

interface AttemptRequest {
  readonly attemptId: string;
}

/** Parameters and result of each request. Bytes travel behind the JSON. */
export interface SupervisorMethods {
  readonly hello: [{ protocol: number; oldestProtocol: number; owner: string }, Welcome];
  readonly launch: [{ launch: Launch }, AttemptStatus];
  readonly stop: [AttemptRequest & { graceMs: number }, null];
  readonly release: [AttemptRequest, null];
  readonly contact: [{ sentMs: number }, null];
  /** Answered in several frames, all but the last marked `more`. */
  readonly list: [null, readonly AttemptStatus[]];
  readonly forget: [{ attemptIds: readonly string[] }, null];
  /** Bytes: stdout, then stderr. */
  readonly exec: [AttemptRequest & { request: ExecRequest }, ExecAnswer];
  readonly stats: [AttemptRequest, ExecutionStats];
  /** Bytes: the records. */
  readonly readLog: [
    AttemptRequest & { position: number; maxBytes: number },
    { position: number; end: number },
  ];
  readonly limitations: [{ kind: Executor['kind'] }, readonly string[]];
  /** Answered when everything has ended; the process exits after it. */
  readonly shutdown: [{ graceMs: number }, null];
  readonly shutdownIfIdle: [null, { stopping: boolean }];
}

export interface ExecAnswer {
  readonly exitCode?: number;
  readonly signal?: string;
  readonly stdoutBytes: number;
  readonly truncated: boolean;
  readonly timedOut: boolean;
}

export type MethodName = keyof SupervisorMethods;
export type Params<M extends MethodName> = SupervisorMethods[M][0];
export type Result<M extends MethodName> = SupervisorMethods[M][1];

export type Response =
  | { readonly id: number; readonly result: unknown; readonly more?: true }
  | { readonly id: number; readonly error: { readonly code: string; readonly message: string } };

export type Event =
  /** It ends because it was told to, with nothing left to do: there is no hurry to start another. */
  | { readonly event: 'bye' }
  | { readonly event: 'statuses'; readonly statuses: readonly AttemptStatus[] }
  | { readonly event: 'logs'; readonly ends: readonly (readonly [attemptId: string, end: number])[] };
