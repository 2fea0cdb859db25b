import type { ContainerExecutorOptions } from '../execution/container-executor.ts';
import type { ProcessExecutorOptions } from '../execution/process-executor.ts';
import type { OutputLimits } from './attempt-output.ts';

/** What the node's configuration says about executors; the rest of their options is the supervisor's own. */
export interface ExecutorSettings {
  /** `scratch` may be shared: each supervisor has a folder of its own in it. */
  readonly process?: Omit<ProcessExecutorOptions, 'scratch' | 'cgroupName'> & { readonly scratch?: string };
  readonly container?: Omit<
    ContainerExecutorOptions,
    'stateFolder' | 'owner' | 'knownAttempts' | 'environment'
  >;
}

/** What a supervisor process is started with, as JSON in its command line: no secrets. */
export interface SupervisorSettings {
  readonly stateFolder: string;
  /** Of the package that starts it. */
  readonly version: string;
  readonly executors: ExecutorSettings;
  /** URL of a module that exports `openExecutor` instead of the own executors; for tests. */
  readonly executorModule?: string;
  readonly output?: OutputLimits;
  /** Bound of one attempt's log and size of its segments, bytes. */
  readonly logBytes?: number;
  readonly segmentBytes?: number;
  readonly maxAttempts?: number;
  /** Ends itself after so long without agents and work. */
  readonly idleExitMs?: number;
}

/**
 * The settings as the supervisor process gets them: with digests, so that it need not load a crypto library
 * itself.
 */
export interface StartSettings extends SupervisorSettings {
  /**
   * Digest of the state folder's path: tells this supervisor's things from those of others on the machine.
   */
  readonly folderId: string;
  /** Digest of the settings, by which agents see whether a running supervisor has theirs. */
  readonly digest: string;
}
