import { join } from 'node:path';
import type { Clock, Logger, Random } from '@clawbernetes/kernel';
import { isTerminal } from '@clawbernetes/protocol/attempt';
import { SegmentLog } from '@clawbernetes/telemetry';
import type { Executor } from '../execution/executor.ts';
import type { Environment, OpenExecutorContext } from './executors.ts';
import { takeInstanceLock, releaseInstanceLock } from './instance-lock.ts';
import { Journal } from './journal.ts';
import { lazyExecutors } from './lazy-executors.ts';
import { readBootId } from './process-identity.ts';
import { SupervisorCore } from './supervisor-core.ts';
import { makePrivateFolder, placeSocket, supervisorPaths, type SupervisorPaths } from './supervisor-paths.ts';
import { SupervisorServer } from './supervisor-server.ts';
import type { StartSettings } from './supervisor-settings.ts';

const IDLE_EXIT_MS = 60_000;

export interface SupervisorHost {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** What executors may read of the environment, such as DOCKER_HOST. */
  readonly environment: Environment;
  /** See `machineUptimeMs`. */
  uptimeMs(): number;
  /** Calls back once the present turn of the event loop is over. */
  atTurnEnd(callback: () => void): void;
  /** Ends the process. */
  exit(): void;
}

/**
 * A supervisor that serves its socket until it is disposed of; workloads live no longer than it if they are
 * processes.
 */
export interface SupervisorProcess extends AsyncDisposable {
  readonly core: SupervisorCore;
}

/** Takes the state folder and serves it; answers undefined if another supervisor does so already. */
export async function openSupervisorProcess(
  host: SupervisorHost,
  settings: StartSettings,
): Promise<SupervisorProcess | undefined> {
  const { clock, logger } = host;
  const paths = supervisorPaths(settings.stateFolder);
  makePrivateFolder(paths.folder);
  const socketPath = placeSocket(paths.folder, settings.folderId);
  if (await takeInstanceLock(clock, paths.lock, socketPath)) return undefined;
  await using stack = new AsyncDisposableStack();
  stack.defer(() => releaseInstanceLock(paths.lock));
  const { core, executor } = stack.use(openCore(host, settings, paths));
  const server = await SupervisorServer.open(
    { clock, logger, core, executor, exit: () => host.exit() },
    {
      socketPath,
      version: settings.version,
      settings: settings.digest,
      idleExitMs: settings.idleExitMs ?? IDLE_EXIT_MS,
    },
  );
  stack.use(server);
  const kept = stack.move();
  return { core, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

interface OpenedCore extends AsyncDisposable {
  readonly core: SupervisorCore;
  executor(kind: Executor['kind']): Promise<Executor>;
}

function openCore(host: SupervisorHost, settings: StartSettings, paths: SupervisorPaths): OpenedCore {
  const { clock, random, logger } = host;
  const { journal, records, damagedLines } = Journal.open(paths.journal);
  if (damagedLines > 0) logger.error('Lines of the journal were damaged and passed over', { damagedLines });
  const { executor, close } = openExecutors(host, settings, paths, () => liveAttempts(core));
  const bounds = {
    ...(settings.logBytes !== undefined && { maxBytes: settings.logBytes }),
    ...(settings.segmentBytes !== undefined && { segmentBytes: settings.segmentBytes }),
  };
  const core = new SupervisorCore(
    {
      clock,
      random,
      logger,
      journal,
      records,
      bootId: readBootId(),
      executor,
      openLog: (owner, attemptId) =>
        SegmentLog.open({}, { folder: join(paths.output, owner, attemptId), ...bounds }),
      uptimeMs: host.uptimeMs,
      atTurnEnd: host.atTurnEnd,
    },
    {
      ...(settings.maxAttempts !== undefined && { maxAttempts: settings.maxAttempts }),
      ...(settings.output && { output: settings.output }),
    },
  );
  const dispose = async (): Promise<void> => {
    core.flush();
    await close();
    journal[Symbol.dispose]();
  };
  return { core, executor, [Symbol.asyncDispose]: dispose };
}

function openExecutors(
  { clock, random, logger, environment }: SupervisorHost,
  settings: StartSettings,
  paths: SupervisorPaths,
  knownAttempts: () => readonly string[],
): { executor: (kind: Executor['kind']) => Promise<Executor>; close: () => Promise<void> } {
  const opened: Executor[] = [];
  const executor = lazyExecutors(async (kind) => {
    const { openExecutor } = await executorModule(settings);
    const context: OpenExecutorContext = {
      clock,
      random,
      logger,
      stateFolder: paths.folder,
      owner: settings.folderId,
      knownAttempts: knownAttempts(),
      environment,
      settings: settings.executors,
    };
    const fresh = await openExecutor(kind, context);
    opened.push(fresh);
    return fresh;
  });
  const close = async (): Promise<void> => {
    for (const each of opened)
      if (Symbol.asyncDispose in each) await (each as AsyncDisposable)[Symbol.asyncDispose]();
  };
  return { executor, close };
}

function liveAttempts(core: SupervisorCore): readonly string[] {
  return core.all().flatMap(({ attemptId, state }) => (isTerminal(state) ? [] : attemptId));
}

interface ExecutorModule {
  openExecutor(kind: Executor['kind'], context: OpenExecutorContext): Promise<Executor>;
}

function executorModule({ executorModule: url }: StartSettings): Promise<ExecutorModule> {
  // Whoever gives a module in the settings lets it export what the own one does.
  return url === undefined ? import('./executors.ts') : (import(url) as Promise<ExecutorModule>);
}
