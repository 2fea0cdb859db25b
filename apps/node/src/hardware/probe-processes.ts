import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable } from 'node:stream';
import { errorCode, errorMessage } from '@clawbernetes/kernel';

export interface ProbeCommand {
  /** Looked up in PATH unless it is a path. */
  readonly program: string;
  readonly args: readonly string[];
}

/** How a program ended; with `startError` it never began (`ENOENT`, `EACCES`, or a message). */
export interface ProbeExit {
  readonly exitCode?: number | undefined;
  readonly signal?: string | undefined;
  readonly startError?: string | undefined;
}

export interface ProbeProcess {
  readonly pid: number | undefined;
  /** Resolves when the program has ended and its output is read to the end; never rejects. */
  readonly closed: Promise<ProbeExit>;
  /** Resolves when the program itself has ended, whoever still holds its pipes; never rejects. */
  readonly gone: Promise<void>;
  /** Signals the program and everything that it started, as long as that stays in its process group. */
  kill(signal: 'SIGTERM' | 'SIGKILL'): void;
  /** Lets go of its pipes, so that a program that cannot be killed does not keep the agent from ending. */
  abandon(): void;
}

/** Starts the vendors' tools; the simulator has its own. */
export interface ProbeProcesses {
  start(
    command: ProbeCommand,
    onOutput: (stream: 'stdout' | 'stderr', bytes: Uint8Array) => void,
  ): ProbeProcess;
}

/** Where vendors put tools that login shells find and service managers do not. */
const EXTRA_FOLDERS = ['/usr/sbin', '/sbin', '/opt/rocm/bin', '/usr/lib/wsl/lib'];

/**
 * Real processes, each the leader of a process group. `env` is passed on with LC_ALL=C, since translated
 * numbers and sentences cannot be parsed; `extraFolders` are searched after its PATH.
 */
export function nodeProbeProcesses(
  env: Readonly<Record<string, string | undefined>>,
  extraFolders: readonly string[] = EXTRA_FOLDERS,
): ProbeProcesses {
  const path = [env['PATH'], ...extraFolders].filter((folder) => folder).join(':');
  const childEnv = { ...env, PATH: path, LC_ALL: 'C' };
  return {
    start({ program, args }, onOutput) {
      try {
        const child = spawn(program, args, {
          env: childEnv,
          detached: true,
          stdio: ['ignore', 'pipe', 'pipe'],
        });
        child.stdout.on('data', (bytes: Uint8Array) => onOutput('stdout', bytes));
        child.stderr.on('data', (bytes: Uint8Array) => onOutput('stderr', bytes));
        return follow(child);
      } catch (error) {
        return neverStarted(error);
      }
    },
  };
}

function follow(child: ChildProcessByStdio<null, Readable, Readable>): ProbeProcess {
  const closed = Promise.withResolvers<ProbeExit>();
  const gone = Promise.withResolvers<void>();
  child.once('error', (error) => {
    closed.resolve({ startError: errorCode(error) ?? errorMessage(error) });
    gone.resolve();
  });
  child.once('exit', () => gone.resolve());
  child.once('close', (exitCode, signal) => {
    closed.resolve({ exitCode: exitCode ?? undefined, signal: signal ?? undefined });
  });
  return {
    pid: child.pid,
    closed: closed.promise,
    gone: gone.promise,
    kill: (signal) => killGroup(child.pid, signal),
    abandon() {
      child.stdout.destroy();
      child.stderr.destroy();
      child.unref();
    },
  };
}

function killGroup(pid: number | undefined, signal: 'SIGTERM' | 'SIGKILL'): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // ESRCH: all of it has ended already.
  }
}

function neverStarted(error: unknown): ProbeProcess {
  return {
    pid: undefined,
    closed: Promise.resolve({ startError: errorCode(error) ?? errorMessage(error) }),
    gone: Promise.resolve(),
    kill: () => undefined,
    abandon: () => undefined,
  };
}
