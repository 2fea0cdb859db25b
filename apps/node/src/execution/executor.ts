import type { AttemptStatus, EndReason, Epoch, GpuDevice, WorkloadSpec } from '@clawbernetes/protocol';

/** One attempt to run, as the gateway placed it. */
export interface Launch {
  readonly attemptId: string;
  readonly workloadId: string;
  readonly namespace: string;
  readonly epoch: Epoch;
  readonly spec: WorkloadSpec;
  /** Ids of the GPUs that the attempt owns, or of the one of which it has a share. */
  readonly devices: readonly string[];
  /** What the node knows of them; a container engine needs more than their ids to pass them on. */
  readonly gpus?: readonly LaunchGpu[];
  /**
   * The last contact with the gateway when this was ordered, by `Supervisor.uptimeMs`; for work that may not
   * run without.
   */
  readonly contactMs?: number;
  /** A member of a gang: once prepared it waits at `ready` for its release. */
  readonly barrier?: boolean;
}

export type LaunchGpu = Pick<GpuDevice, 'id' | 'index' | 'vendor' | 'simulated'> &
  Partial<Pick<GpuDevice, 'memoryMib' | 'parentId'>>;

export type OutputStream = 'stdout' | 'stderr';

/**
 * Takes what a workload prints, in order per stream. Answers false when it wants the executor to stop reading
 * until `drained` resolves; the workload then blocks on its own pipe, as it would on a slow terminal.
 */
export interface OutputSink {
  write(stream: OutputStream, bytes: Uint8Array): boolean;
  drained(): Promise<void>;
  /**
   * For `recover`: how many bytes of each stream this attempt was given so far. A container's output goes on
   * exactly there; where it is not known, some may come twice.
   */
  readonly received?: Readonly<Record<OutputStream, number>> | undefined;
}

/** How an execution ended. Exactly one of `exitCode` and `signal` is set. */
export interface ExecutionExit {
  readonly exitCode?: number;
  readonly signal?: string;
  /** Set when a limit or an order ended it, rather than the program itself. */
  readonly reason?: EndReason;
  readonly message?: string;
  readonly finishedAtMs: number;
}

export interface ExecutionStats {
  /** Since the start, ms of CPU time. */
  readonly cpuMs: number;
  readonly memoryBytes: number;
  readonly memoryPeakBytes?: number;
  readonly processes: number;
  /** Of the time runnable, ms spent waiting for its CPU limit. */
  readonly throttledMs?: number;
}

export interface ExecRequest {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Of each stream; what comes after is dropped and `truncated` set. */
  readonly maxOutputBytes: number;
}

export interface ExecResult {
  readonly exitCode?: number;
  readonly signal?: string;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly truncated: boolean;
  readonly timedOut: boolean;
}

/** A workload that is running, or was until a moment ago. */
export interface Execution {
  /** What is needed to find it again after the supervisor's own restart; plain JSON. */
  readonly handle: ExecutionHandle;
  readonly sandbox: AttemptStatus['sandbox'];
  readonly limitations: readonly string[];
  /**
   * Resolves once the workload's whole process tree is gone and its output is read to the end; never rejects.
   */
  readonly exited: Promise<ExecutionExit>;
  /** Polite signal, then after `graceMs` the kill of the whole tree. Safe to repeat; a shorter grace wins. */
  stop(graceMs: number, reason: EndReason): void;
  exec(request: ExecRequest): Promise<ExecResult>;
  stats(): Promise<ExecutionStats>;
}

export interface ExecutionHandle {
  readonly executor: 'process' | 'container';
  /** Process: first pid. Container: pid of its init, if known. */
  readonly pid?: number;
  /**
   * Start time of `pid` in clock ticks since boot (`/proc/<pid>/stat` field 22): pid reuse cannot fool us.
   */
  readonly pidStartTicks?: number;
  readonly containerId?: string;
  readonly cgroups?: readonly string[];
}

/**
 * Runs attempts one way. Every implementation passes `executor-suite.ts`. `start` throws a CodedError whose
 * code is an EndReason when the attempt cannot be started; nothing is left behind then.
 */
export interface Executor {
  readonly kind: 'process' | 'container';
  /** What this host cannot do, in words for a user; empty when everything is enforced. */
  readonly limitations: readonly string[];
  /** Looks again for what was missing. */
  refresh?(): Promise<void>;
  /** Fetches what the attempt needs (an image); resolves at once if there is nothing to do. */
  prepare(launch: Launch, options: { signal?: AbortSignal }): Promise<void>;
  start(launch: Launch, sink: OutputSink): Promise<Execution>;
  /**
   * After the supervisor's own restart: takes over what is still running (containers), or kills every
   * leftover of the attempt (plain processes) and answers undefined.
   */
  recover(attemptId: string, handle: ExecutionHandle, sink: OutputSink): Promise<Execution | undefined>;
}
