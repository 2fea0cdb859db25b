import { spawn, type ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { CodedError, type Clock } from '@clawbernetes/kernel';
import type { AttemptCgroups } from '../cgroup/attempt-cgroups.ts';
import type { ExecRequest, ExecResult } from '../executor.ts';
import { startTicks, treeOf } from './process-table.ts';

export interface ExecPlan {
  readonly program: string;
  readonly args: readonly string[];
  /** What it reads on its standard input. */
  readonly input: string;
  readonly directory?: string;
  readonly cgroups?: AttemptCgroups;
}

/** Runs a command to its end, within its bounds of time and output. */
export async function execCommand(clock: Clock, plan: ExecPlan, request: ExecRequest): Promise<ExecResult> {
  const child =
    plan.cgroups?.canEnter === true ? plan.cgroups.forkInside(() => fork(plan)) : fork(joining(plan));
  const {
    promise: ended,
    resolve,
    reject,
  } = Promise.withResolvers<Pick<ExecResult, 'exitCode' | 'signal'>>();
  child.once('error', (error) => reject(refusal(plan, error)));
  child.once('exit', (code, signal) => resolve(signal === null ? { exitCode: code ?? 0 } : { signal }));
  const stdout = collect(child.stdout, request.maxOutputBytes);
  const stderr = collect(child.stderr, request.maxOutputBytes);
  let timedOut = false;
  const timer = clock.after(request.timeoutMs, () => {
    timedOut = true;
    killTree(child);
  });
  try {
    const end = await ended;
    await drain(clock, child);
    const truncated = stdout.truncated || stderr.truncated;
    return { ...end, stdout: stdout.bytes, stderr: stderr.bytes, truncated, timedOut };
  } finally {
    timer.cancel();
  }
}

function fork({ program, args, input, directory }: ExecPlan): ChildProcess {
  const child = spawn(program, args, {
    env: {},
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(directory !== undefined && { cwd: directory }),
  });
  // A command that ends without reading it is no failure of ours.
  child.stdin.on('error', () => child.stdin.destroy());
  child.stdin.end(input);
  return child;
}

function joining(plan: ExecPlan): ExecPlan {
  if (plan.cgroups === undefined) return plan;
  return {
    ...plan,
    program: '/bin/sh',
    args: ['-c', `${plan.cgroups.enterScript} && exec "$@"`, 'sh', plan.program, ...plan.args],
  };
}

function collect(
  stream: Readable | null,
  limit: number,
): { readonly bytes: Uint8Array; readonly truncated: boolean } {
  const chunks: Buffer[] = [];
  let total = 0;
  // What is over the limit is read and dropped, so that the command can end.
  stream?.on('data', (bytes: Buffer) => {
    if (total < limit) chunks.push(bytes.subarray(0, limit - total));
    total += bytes.length;
  });
  return {
    get bytes() {
      return Buffer.concat(chunks);
    },
    get truncated() {
      return total > limit;
    },
  };
}

const DRAIN_MS = 500;

/** Reads what is left; a child in the background that holds the pipes does not delay the answer. */
async function drain(clock: Clock, child: ChildProcess): Promise<void> {
  const streams = [child.stdout, child.stderr].filter((stream) => stream !== null);
  const timer = clock.after(DRAIN_MS, () => {
    for (const stream of streams) stream.destroy();
  });
  const open = streams.filter((stream) => !stream.closed);
  await Promise.all(open.map((stream) => new Promise((resolve) => stream.once('close', resolve))));
  timer.cancel();
}

function killTree(child: ChildProcess): void {
  if (child.pid === undefined) return;
  for (const pid of treeOf(child.pid).toReversed()) {
    if (startTicks(pid) === undefined) continue;
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended between the look and the kill.
    }
  }
}

function refusal({ program }: ExecPlan, cause: Error): CodedError {
  return new CodedError(
    `${program} could not be run (${cause.message}).`,
    { code: 'launch-failed' },
    { cause },
  );
}
