import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { errorCode, sleep, type Clock } from '@clawbernetes/kernel';
import type { Environment } from './executors.ts';
import { readInstance } from './instance-lock.ts';
import type { Event } from './messages.ts';
import { supervisorError } from './supervisor-error.ts';
import { makePrivateFolder, supervisorPaths } from './supervisor-paths.ts';
import type { StartSettings } from './supervisor-settings.ts';
import { WireClient } from './wire-client.ts';

/** For a supervisor to come up, ms: a process start and the replay of its journal. */
const START_MS = 20_000;
const POLL_MS = 10;
/** Of its log, shown when it does not come up. */
const LOG_TAIL_CHARACTERS = 600;

/**
 * Keep it small: hardly any of its time is spent in JavaScript of its own, so the optimising compilers (2.3
 * MiB when idle, 5 MiB after a busy minute) gain nothing measurable; small young generations keep it small
 * after a flood.
 */
const NODE_FLAGS = [
  '--no-opt',
  '--no-maglev',
  '--max-semi-space-size=2',
  '--max-old-space-size=512',
  // For collectWhenIdle.
  '--expose-gc',
  '--no-warnings',
];

/** As in bin/clawnode.js: what a flood of output took is given back to the system. */
const MALLOC = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_MMAP_THRESHOLD_: '65536',
  MALLOC_TRIM_THRESHOLD_: '131072',
} as const;

/**
 * What the environment may hold of use to a supervisor; the rest, secrets of the agent above all, stays
 * behind.
 */
const ENVIRONMENT = /^(PATH|HOME|USER|LOGNAME|LANG|LC_.*|TZ|TMPDIR|XDG_RUNTIME_DIR|DOCKER_.*|CONTAINER_.*)$/;

export interface StartDeps {
  readonly clock: Clock;
  /** The agent's own; the supervisor gets what ENVIRONMENT lets through. */
  readonly environment: Environment;
}

/** A supervisor process that may come up, or find that there is one already. */
interface Starting {
  readonly pid: number | undefined;
  exitCode: number | null;
  kill(): void;
}

/** Connects to the supervisor of the state folder; starts one if none runs. */
export async function connectOrStart(
  { clock, environment }: StartDeps,
  settings: StartSettings,
  onEvent: (event: Event) => void,
): Promise<WireClient> {
  const paths = supervisorPaths(settings.stateFolder);
  makePrivateFolder(paths.folder);
  const deadlineMs = clock.monotonicMs() + START_MS;
  let child: Starting | undefined;
  while (clock.monotonicMs() < deadlineMs) {
    const instance = readInstance(paths.lock);
    const client = instance && (await tryConnect(instance.socketPath, onEvent));
    if (client) {
      // Another one was first; ours is on its way to find that out.
      if (instance.pid !== child?.pid) child?.kill();
      return client;
    }
    if (!instance && (child === undefined || child.exitCode === 0))
      child = spawnSupervisor(settings, environment);
    if (child?.exitCode) break;
    await sleep(clock, POLL_MS);
  }
  throw supervisorError(
    'supervisor-unavailable',
    `The node's supervisor did not start. ${tailOf(paths.log)}Its log is ${paths.log}.`,
  );
}

async function tryConnect(path: string, onEvent: (event: Event) => void): Promise<WireClient | undefined> {
  try {
    return await WireClient.connect(path, onEvent);
  } catch (error) {
    // Not yet listening, or just gone; anything else, such as a missing permission, will not change by
    // waiting.
    if (['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EAGAIN'].includes(errorCode(error) ?? '')) return undefined;
    throw supervisorError('supervisor-unavailable', `The supervisor's socket ${path} cannot be used.`, error);
  }
}

/** Starts it in a session of its own, so that no signal to the agent's terminal or group reaches it. */
function spawnSupervisor(settings: StartSettings, environment: Environment): Starting {
  const ownSource = import.meta.url.endsWith('.ts');
  const main = fileURLToPath(new URL(`./supervisor-main.${ownSource ? 'ts' : 'js'}`, import.meta.url));
  const flags = ownSource ? [...NODE_FLAGS, '--conditions=@clawbernetes/source'] : NODE_FLAGS;
  const log = openSync(supervisorPaths(settings.stateFolder).log, 'a', 0o600);
  try {
    const child = spawn(process.execPath, [...flags, main, JSON.stringify(settings)], {
      cwd: '/',
      detached: true,
      env: {
        ...Object.fromEntries(Object.entries(environment).filter(([name]) => ENVIRONMENT.test(name))),
        ...MALLOC,
      },
      stdio: ['ignore', log, log],
    });
    const starting: Starting = { pid: child.pid, exitCode: null, kill: () => void child.kill() };
    child.once('error', () => (starting.exitCode = 1));
    child.once('exit', (code) => (starting.exitCode = code ?? 1));
    child.unref();
    return starting;
  } finally {
    closeSync(log);
  }
}

function tailOf(path: string): string {
  try {
    const text = readFileSync(path, 'utf8').slice(-LOG_TAIL_CHARACTERS).trim();
    return text && `It said last: ${text}\n`;
  } catch {
    return '';
  }
}
