import { spawn, type ChildProcess } from 'node:child_process';
import { CodedError, errorCode } from '@clawbernetes/kernel';
import type { AttemptCgroups } from '../cgroup/attempt-cgroups.ts';
import type { Owner } from './attempt-folder.ts';
import type { Fifo, InputFifo } from './fifo-pool.ts';

export interface ChildRequest {
  readonly program: string;
  readonly name: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly directory: string;
  readonly owner?: Owner;
  readonly cgroups?: AttemptCgroups;
  /** Output, error output and, from a sandbox, its report. They stay the caller's. */
  readonly fifos: readonly Fifo[];
  /** What it reads on the next descriptor; the caller's, too. */
  readonly input?: InputFifo;
}

export interface ChildEnd {
  readonly exitCode?: number;
  readonly signal?: string;
}

export interface WorkloadChild {
  readonly pid: number;
  readonly ended: Promise<ChildEnd>;
}

/**
 * Starts a process that is inside its control groups before the first instruction of the workload.
 * @throws CodedError `command-not-found`, `command-not-executable` or `launch-failed`.
 */
export async function startChild(request: ChildRequest): Promise<WorkloadChild> {
  const { cgroups } = request;
  const child = cgroups?.canEnter === true ? cgroups.forkInside(() => fork(request)) : fork(joining(request));
  const ended = new Promise<ChildEnd>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal === null ? { exitCode: code ?? 0 } : { signal }));
  });
  if (child.pid === undefined) throw await failure(child, request);
  child.on('error', () => undefined);
  return { pid: child.pid, ended };
}

function fork({ program, name, args, env, directory, owner, fifos, input }: ChildRequest): ChildProcess {
  return spawn(program, args, {
    argv0: name,
    cwd: directory,
    env,
    // A session of its own: signals to our terminal are not for it.
    detached: true,
    stdio: ['ignore', ...fifos.map(({ writeEnd }) => writeEnd), ...(input ? [input.readEnd] : [])],
    ...owner,
  });
}

/** Lets a shell, still as ourselves, enter the groups and then become the program. */
function joining(request: ChildRequest): ChildRequest {
  const { cgroups, owner, program, args } = request;
  if (cgroups === undefined) return request;
  const { owner: _, ...rest } = request;
  return {
    ...rest,
    program: '/bin/sh',
    name: 'sh',
    // The shell is still us: it must not see variables of the workload, such as LD_PRELOAD.
    env: owner === undefined ? request.env : {},
    args: ['-c', `${cgroups.enterScript} && exec "$@"`, 'sh', ...becoming(request), program, ...args],
  };
}

function becoming({ owner, env }: ChildRequest): readonly string[] {
  if (owner === undefined) return [];
  const pairs = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const identity = [`--reuid=${owner.uid}`, `--regid=${owner.gid}`, '--clear-groups'];
  return ['/usr/bin/setpriv', ...identity, ...(pairs.length > 0 ? ['/usr/bin/env', '-i', ...pairs] : [])];
}

async function failure(child: ChildProcess, { program, directory }: ChildRequest): Promise<CodedError> {
  const error = await new Promise<unknown>((resolve) => child.once('error', resolve));
  const code = errorCode(error);
  if (code === 'EACCES') {
    return new CodedError(
      `${program} may not be executed by the workload's user (EACCES).`,
      {
        code: 'command-not-executable',
      },
      { cause: error },
    );
  }
  if (code === 'ENOENT') {
    return new CodedError(
      `${program} could not be started: its interpreter, named in its first line, is missing.`,
      {
        code: 'command-not-found',
      },
      { cause: error },
    );
  }
  return new CodedError(
    `${program} could not be started in ${directory} (${code ?? String(error)}).`,
    {
      code: 'launch-failed',
    },
    { cause: error },
  );
}
