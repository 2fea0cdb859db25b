import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError, errorCode, sleep } from '@clawbernetes/kernel';
import type { EndReason } from '@clawbernetes/protocol';
import type {
  Execution,
  ExecutionExit,
  ExecutionHandle,
  Executor,
  ExecRequest,
  ExecResult,
  Launch,
  OutputSink,
  OutputStream,
} from '../../src/execution/executor.ts';
import type { OpenExecutorContext } from '../../src/supervisor/executors.ts';
import { identityOf, isRunning } from '../../src/supervisor/process-identity.ts';

/**
 * Small executors of real processes for the supervisor's tests. `process` runs a plain child. `container`
 * stands for what outlives the supervisor: a session of its own that writes to files, with its exit code in
 * one; its image's name says what preparing does: `endless` never ends, `brief` takes a moment, `absent`
 * fails.
 */
export async function openExecutor(kind: Executor['kind'], context: OpenExecutorContext): Promise<Executor> {
  return kind === 'process' ? new PlainExecutor(context) : new SurvivingExecutor(context);
}

/** Found again by it in the environments of all processes. */
const MARK = 'CLAWBERNETES_TEST_ATTEMPT';

class PlainExecutor implements Executor {
  readonly kind = 'process';
  readonly limitations = ['This is the plain executor of the tests.'];
  readonly #context: OpenExecutorContext;

  constructor(context: OpenExecutorContext) {
    this.#context = context;
  }

  async prepare(): Promise<void> {
    // Nothing to fetch.
  }

  async start(launch: Launch, sink: OutputSink): Promise<Execution> {
    const { command, env } = launch.spec;
    if (env['START_DELAY_MS']) await sleep(this.#context.clock, Number(env['START_DELAY_MS']));
    const [program = '', ...args] = command;
    const child = spawn(program, args, {
      detached: true,
      env: { PATH: process.env['PATH'], ...env, [MARK]: launch.attemptId },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    await spawned(child, program);
    for (const stream of ['stdout', 'stderr'] as const) readInto(sink, stream, child);
    return new PlainExecution(this.#context, child);
  }

  async recover(attemptId: string): Promise<undefined> {
    for (const pid of marked(attemptId)) process.kill(pid, 'SIGKILL');
    while (marked(attemptId).length > 0) await sleep(this.#context.clock, 5);
    return undefined;
  }
}

class PlainExecution implements Execution {
  readonly handle: ExecutionHandle;
  readonly sandbox = 'none';
  readonly limitations = ['unsandboxed'];
  readonly exited: Promise<ExecutionExit>;
  readonly #context: OpenExecutorContext;
  readonly #child: ChildProcess;
  #reason: EndReason | undefined;

  constructor(context: OpenExecutorContext, child: ChildProcess) {
    this.#context = context;
    this.#child = child;
    const { pid, startTicks } = identityOf(child.pid ?? 0);
    this.handle = { executor: 'process', pid, pidStartTicks: startTicks ?? 0 };
    this.exited = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        const reason = this.#reason && { reason: this.#reason };
        const end = code === null ? { signal: signal ?? 'unknown' } : { exitCode: code };
        resolve({ ...end, ...reason, finishedAtMs: context.clock.nowMs() });
      });
    });
  }

  stop(graceMs: number, reason: EndReason): void {
    this.#reason ??= reason;
    signalGroup(this.#child.pid, 'SIGTERM');
    this.#context.clock.after(graceMs, () => signalGroup(this.#child.pid, 'SIGKILL'));
  }

  async exec({ command }: ExecRequest): Promise<ExecResult> {
    const [program = '', ...args] = command;
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const output: Record<OutputStream, Buffer[]> = { stdout: [], stderr: [] };
    child.stdout.on('data', (bytes: Buffer) => output.stdout.push(bytes));
    child.stderr.on('data', (bytes: Buffer) => output.stderr.push(bytes));
    const exitCode = await new Promise<number>((resolve) =>
      child.once('close', (code) => resolve(code ?? -1)),
    );
    const [stdout, stderr] = [Buffer.concat(output.stdout), Buffer.concat(output.stderr)];
    return { exitCode, stdout, stderr, truncated: false, timedOut: false };
  }

  async stats(): Promise<{ cpuMs: number; memoryBytes: number; processes: number }> {
    return { cpuMs: 1, memoryBytes: 2, processes: 1 };
  }
}

class SurvivingExecutor implements Executor {
  readonly kind = 'container';
  readonly limitations = [];
  readonly #context: OpenExecutorContext;

  constructor(context: OpenExecutorContext) {
    this.#context = context;
  }

  async prepare({ spec }: Launch): Promise<void> {
    if (spec.image === 'absent') throw new CodedError('There is no such image.', { code: 'image-not-found' });
    // Deliberately deaf to the signal: a stop must work all the same.
    if (spec.image === 'endless') await new Promise(() => undefined);
    if (spec.image === 'brief') await sleep(this.#context.clock, 500);
  }

  async start(launch: Launch, sink: OutputSink): Promise<Execution> {
    const folder = this.#folder(launch.attemptId);
    mkdirSync(folder, { recursive: true });
    const [program = '', ...args] = launch.spec.command;
    const script = 'echo $$ >pid; "$@" >out 2>&1; echo $? >exit.new; mv exit.new exit';
    const options = { cwd: folder, detached: true, stdio: 'ignore' } as const;
    const child = spawn('sh', ['-c', script, 'sh', program, ...args], options);
    await spawned(child, program);
    child.unref();
    return new SurvivingExecution(this.#context, folder, child.pid ?? 0, sink, 0);
  }

  async recover(
    attemptId: string,
    _handle: ExecutionHandle,
    sink: OutputSink,
  ): Promise<Execution | undefined> {
    const folder = this.#folder(attemptId);
    if (!existsSync(`${folder}/pid`)) return undefined;
    const pid = Number(readFileSync(`${folder}/pid`));
    const seen = statSync(`${folder}/out`, { throwIfNoEntry: false })?.size ?? 0;
    return new SurvivingExecution(this.#context, folder, pid, sink, seen);
  }

  #folder(attemptId: string): string {
    return join(this.#context.stateFolder, 'survivors', attemptId);
  }
}

class SurvivingExecution implements Execution {
  readonly handle: ExecutionHandle;
  readonly sandbox = 'container';
  readonly limitations = [];
  readonly exited: Promise<ExecutionExit>;
  #reason: EndReason | undefined;

  constructor({ clock }: OpenExecutorContext, folder: string, pid: number, sink: OutputSink, from: number) {
    this.handle = { executor: 'container', pid, containerId: folder };
    this.exited = (async () => {
      while (!existsSync(`${folder}/exit`) && isRunning(identityOf(pid))) await sleep(clock, 5);
      const rest = existsSync(`${folder}/out`)
        ? readFileSync(`${folder}/out`).subarray(from)
        : Buffer.alloc(0);
      if (rest.length > 0) sink.write('stdout', rest);
      const reason = this.#reason && { reason: this.#reason };
      if (!existsSync(`${folder}/exit`)) return { signal: 'SIGKILL', ...reason, finishedAtMs: clock.nowMs() };
      return { exitCode: Number(readFileSync(`${folder}/exit`)), ...reason, finishedAtMs: clock.nowMs() };
    })();
  }

  stop(_graceMs: number, reason: EndReason): void {
    this.#reason ??= reason;
    signalGroup(this.handle.pid, 'SIGKILL');
  }

  async exec(): Promise<ExecResult> {
    throw new CodedError('The surviving executor has no exec.', { code: 'launch-failed' });
  }

  async stats(): Promise<{ cpuMs: number; memoryBytes: number; processes: number }> {
    return { cpuMs: 1, memoryBytes: 2, processes: 1 };
  }
}

/** Processes that run for an attempt, wherever they were started from. */
export function marked(attemptId: string): number[] {
  const wanted = `${MARK}=${attemptId}\0`;
  return readdirSync('/proc').flatMap((name) => {
    const pid = Number(name);
    if (!Number.isInteger(pid) || !isRunning(identityOf(pid))) return [];
    try {
      return `${readFileSync(`/proc/${pid}/environ`, 'latin1')}\0`.includes(wanted) ? [pid] : [];
    } catch {
      return [];
    }
  });
}

function spawned(child: ChildProcess, program: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', () => resolve());
    child.once('error', (error) => {
      const code = errorCode(error) === 'ENOENT' ? 'command-not-found' : 'launch-failed';
      reject(new CodedError(`${program} cannot be run.`, { code }, { cause: error }));
    });
  });
}

function readInto(sink: OutputSink, stream: OutputStream, child: ChildProcess): void {
  const source = child[stream];
  source?.on('data', (bytes: Buffer) => {
    if (sink.write(stream, bytes)) return;
    source.pause();
    void sink.drained().then(() => source.resume());
  });
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  try {
    if (pid) process.kill(-pid, signal);
  } catch {
    // Gone already.
  }
}
