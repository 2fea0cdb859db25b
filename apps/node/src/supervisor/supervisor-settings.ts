import { createHash } from 'node:crypto';
import { canonicalJson, type Json } from '@clawbernetes/kernel';
import type { ContainerExecutorOptions } from '../execution/container-executor.ts';
import type { ProcessExecutorOptions } from '../execution/process-executor.ts';
import type { OutputLimits } from './attempt-output.ts';

/** What the node's configuration says about executors; the rest of their options is the supervisor's own. */
export interface ExecutorSettings {
  readonly process?: Omit<ProcessExecutorOptions, 'scratch' | 'cgroupName'>;
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

/** Tells whether a running supervisor was started with the same settings. */
export function settingsDigest({ version: _, ...settings }: SupervisorSettings): string {
  // Settings are plain JSON; an interface has no index signature, so the compiler cannot see it.
  const text = canonicalJson(settings as unknown as Json);
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
