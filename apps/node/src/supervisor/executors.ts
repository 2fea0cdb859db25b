import { join } from 'node:path';
import { type Clock, CodedError, type Logger, type Random } from '@clawbernetes/kernel';
import type { Executor } from '../execution/executor.ts';
import type { ExecutorSettings } from './supervisor-settings.ts';

/** Where only root can make folders, and everybody can pass. */
const SHARED_SCRATCH = '/var/lib/clawbernetes/scratch';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface OpenExecutorContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly environment: Environment;
  /** Of the supervisor; executors keep their small files below it. */
  readonly stateFolder: string;
  /** Tells this supervisor's containers and cgroups from those of another on the same machine. */
  readonly owner: string;
  /** Attempts that have not ended; what else is found of this owner is a leftover. */
  readonly knownAttempts: readonly string[];
  readonly settings: ExecutorSettings;
}

/**
 * Opens one kind of executor; its code is loaded only then.
 * @throws CodedError `executor-unavailable` where this host cannot have it.
 */
export function openExecutor(kind: Executor['kind'], context: OpenExecutorContext): Promise<Executor> {
  return kind === 'container' ? openContainers(context) : openProcesses(context);
}

async function openContainers({ settings, ...context }: OpenExecutorContext): Promise<Executor> {
  const { openContainerExecutor } = await import('../execution/container-executor.ts');
  const executor = await openContainerExecutor(context, { ...context, ...settings.container });
  if (executor.kind === 'container') return executor;
  throw new CodedError(executor.reason, { code: 'executor-unavailable' });
}

async function openProcesses(context: OpenExecutorContext): Promise<Executor> {
  const { openProcessExecutor } = await import('../execution/process-executor.ts');
  const executor = await openProcessExecutor(context, {
    policy: { allowUnsandboxed: false },
    ...context.settings.process,
    hidden: [context.stateFolder, ...(context.settings.process?.hidden ?? [])],
    scratch: scratchOf(context),
    cgroupName: `clawbernetes-${context.owner}`,
  });
  // Of attempts that nobody remembers; those of known ones are ended one by one, with their statuses.
  for (const attemptId of executor.leftovers) {
    if (!context.knownAttempts.includes(attemptId))
      await executor.recover(attemptId, { executor: 'process' });
  }
  return executor;
}

/** The state folder lets nobody else in, so workloads of another user have their files elsewhere. */
function scratchOf({ stateFolder, owner, settings }: OpenExecutorContext): string {
  const { scratch, owner: user } = settings.process ?? {};
  if (scratch !== undefined) return join(scratch, owner);
  const foreign = user !== undefined && user.uid !== process.getuid?.();
  return foreign ? join(SHARED_SCRATCH, owner) : join(stateFolder, 'scratch');
}
