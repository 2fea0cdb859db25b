// Shows that containers, their output and their end survive the death of supervisor and engine, each byte
// told once.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ExecutionHandle, Launch } from '../../src/execution/executor.ts';
import { dockerEngineMissing } from '../../src/testing/docker-engine.ts';
import { RecordingSink } from '../../src/testing/recording-sink.ts';
import { until } from '../../src/testing/until.ts';
import { ContainerBench } from './container-bench.ts';

const missing = dockerEngineMissing();
const suite = (name: string): string => (missing ? `${name} [skipped: ${missing}]` : name);

/** Counts on both streams, in pieces that end within lines, until the file /work/enough is there. */
const COUNTER =
  'while [ ! -e /work/enough ]; do i=$((i+1)); echo "out $i"; printf "err $i;" >&2; usleep 500; done; exit 5';

class Victim implements AsyncDisposable {
  readonly process: ChildProcess;
  readonly folder: string;
  handle: ExecutionHandle = { executor: 'container' };

  private constructor(process: ChildProcess, folder: string) {
    this.process = process;
    this.folder = folder;
  }

  static async start(bench: ContainerBench, launch: Launch): Promise<Victim> {
    const folder = await mkdtemp(join(tmpdir(), 'container-victim-'));
    for (const stream of ['stdout', 'stderr']) await writeFile(join(folder, stream), '');
    const script = fileURLToPath(new URL('./container-supervisor.ts', import.meta.url));
    const args = [bench.engine.socketPath, bench.owner, bench.stateFolder, folder, JSON.stringify(launch)];
    const child = spawn(process.execPath, ['--conditions=@clawbernetes/source', script, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const victim = new Victim(child, folder);
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    victim.handle = JSON.parse(line) as ExecutionHandle;
    return victim;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true });
  }

  async kill(): Promise<void> {
    if (this.process.signalCode !== null) return;
    const ended = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await ended;
  }

  async text(stream: 'stdout' | 'stderr'): Promise<string> {
    return readFile(join(this.folder, stream), 'utf8');
  }

  /** A sink that goes on where the killed supervisor's files end. */
  async sink(): Promise<RecordingSink> {
    const [stdout, stderr] = [
      await stat(join(this.folder, 'stdout')),
      await stat(join(this.folder, 'stderr')),
    ];
    return new RecordingSink({ received: { stdout: stdout.size, stderr: stderr.size } });
  }
}

function counted(count: number): { stdout: string; stderr: string } {
  const numbers = Array.from({ length: count }, (_, index) => index + 1);
  return {
    stdout: numbers.map((n) => `out ${n}\n`).join(''),
    stderr: numbers.map((n) => `err ${n};`).join(''),
  };
}

/** Compares long texts; a failure shows only where they part. */
function expectSame(actual: string, expected: string): void {
  let same = 0;
  while (same < expected.length && actual[same] === expected[same]) same += 1;
  expect(actual.slice(same, same + 80)).toBe(expected.slice(same, same + 80));
}

describe.skipIf(missing !== undefined)(suite('supervisor killed'), () => {
  let bench: ContainerBench;
  beforeAll(async () => {
    bench = await ContainerBench.open();
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  it('the next one adopts the container and continues its output exactly', async () => {
    const launch = bench.shell(COUNTER);
    await using victim = await Victim.start(bench, launch);
    await until('it has printed', async () => (await victim.text('stdout')).length > 2000);
    await victim.kill();
    const executor = await bench.executor({ knownAttempts: [launch.attemptId] });
    const sink = await victim.sink();
    const execution = await executor.recover(launch.attemptId, victim.handle, sink);
    expect(execution?.handle).toEqual(victim.handle);
    await until('output goes on', () => sink.bytes('stdout').length > 2000);
    await execution?.exec({
      command: ['touch', '/work/enough'],
      env: {},
      timeoutMs: 5000,
      maxOutputBytes: 100,
    });
    expect(await execution?.exited).toMatchObject({ exitCode: 5 });
    const stdout = (await victim.text('stdout')) + sink.text('stdout');
    const expected = counted(stdout.split('\n').length - 1);
    expectSame(stdout, expected.stdout);
    expectSame((await victim.text('stderr')) + sink.text('stderr'), expected.stderr);
    expect(execution?.limitations).toEqual(executor.limitations);
    await executor[Symbol.asyncDispose]();
  });

  it('one that ended meanwhile tells its end and the rest of its output', async () => {
    const launch = bench.shell(
      'echo first; while [ ! -e /work/go ]; do usleep 1000; done; echo last; exit 4',
    );
    await using victim = await Victim.start(bench, launch);
    await until('it has printed', async () => (await victim.text('stdout')) === 'first\n');
    await victim.kill();
    const known = { knownAttempts: [launch.attemptId] };
    await using helper = await bench.executor({ ...known, lingerMs: 60_000 });
    const helped = await helper.recover(launch.attemptId, victim.handle, new RecordingSink());
    await helped?.exec({ command: ['touch', '/work/go'], env: {}, timeoutMs: 5000, maxOutputBytes: 100 });
    await until('it has ended', async () => !(await bench.runs(launch.attemptId)));
    const executor = await bench.executor(known);
    const sink = await victim.sink();
    const execution = await executor.recover(launch.attemptId, victim.handle, sink);
    expect(await execution?.exited).toMatchObject({ exitCode: 4 });
    expect(sink.text('stdout')).toBe('last\n');
    await executor[Symbol.asyncDispose]();
  });

  it('a container that nobody knows any more is removed at the next opening, others stay', async () => {
    const [known, unknown] = [bench.shell('sleep 300'), bench.shell('sleep 300')];
    const first = await bench.executor();
    const execution = await first.start(known, new RecordingSink());
    await first.start(unknown, new RecordingSink());
    await first[Symbol.asyncDispose]();
    expect(await bench.containers()).toHaveLength(2);
    const stranger = await bench.executor({ owner: 'somebody-else' });
    await stranger[Symbol.asyncDispose]();
    expect(await bench.containers()).toHaveLength(2);
    const second = await bench.executor({ knownAttempts: [known.attemptId] });
    expect(await bench.containers()).toEqual([execution.handle.containerId]);
    const adopted = await second.recover(known.attemptId, execution.handle, new RecordingSink());
    adopted?.stop(0, 'stopped');
    expect(await adopted?.exited).toMatchObject({ signal: 'SIGKILL', reason: 'stopped' });
    await second[Symbol.asyncDispose]();
  });

  it('a start that is repeated adopts the container of the first and goes on with its output', async () => {
    const launch = bench.shell(
      'echo one; while [ ! -e /work/go ]; do usleep 1000; done; echo two; sleep 300',
    );
    const first = await bench.executor();
    const seen = new RecordingSink();
    const { handle } = await first.start(launch, seen);
    await until('it has printed', () => seen.text('stdout') === 'one\n');
    await first[Symbol.asyncDispose]();
    const second = await bench.executor({ knownAttempts: [launch.attemptId] });
    const sink = new RecordingSink();
    const execution = await second.start(launch, sink);
    expect(execution.handle).toEqual(handle);
    await execution.exec({ command: ['touch', '/work/go'], env: {}, timeoutMs: 5000, maxOutputBytes: 100 });
    await until('it has printed again', () => sink.bytes('stdout').length > 0);
    expect(sink.text('stdout')).toBe('two\n');
    execution.stop(0, 'stopped');
    await execution.exited;
    await second[Symbol.asyncDispose]();
  });

  it('an attempt without a container is not recovered', async () => {
    const executor = await bench.executor();
    const { attemptId } = bench.shell('true');
    const handle = { executor: 'container', containerId: '0'.repeat(64) } as const;
    expect(await executor.recover(attemptId, handle, new RecordingSink())).toBeUndefined();
    await executor[Symbol.asyncDispose]();
  });
});

describe.skipIf(missing !== undefined)(suite('engine away'), () => {
  it('a restart that spares containers loses no output and no exit code', async () => {
    await using bench = await ContainerBench.open({ liveRestore: true });
    await using executor = await bench.executor();
    const sink = new RecordingSink();
    const execution = await executor.start(bench.shell(COUNTER), sink);
    await until('it has printed', () => sink.bytes('stdout').length > 2000);
    await bench.engine.kill();
    await until('the absence is told', () =>
      execution.limitations.some((text) => text.includes('does not answer')),
    );
    await bench.engine.start();
    const seen = sink.bytes('stdout').length;
    await until('output goes on', () => sink.bytes('stdout').length > seen + 1000, 20_000);
    expect(execution.limitations).toEqual(executor.limitations);
    await execution.exec({
      command: ['touch', '/work/enough'],
      env: {},
      timeoutMs: 5000,
      maxOutputBytes: 100,
    });
    expect(await execution.exited).toMatchObject({ exitCode: 5 });
    const expected = counted(sink.text('stdout').split('\n').length - 1);
    expectSame(sink.text('stdout'), expected.stdout);
    expectSame(sink.text('stderr'), expected.stderr);
  });

  it('a restart that ends containers is reported as their end', async () => {
    await using bench = await ContainerBench.open();
    await using executor = await bench.executor();
    const sink = new RecordingSink();
    const launch = bench.shell('trap "echo bye; exit 3" TERM; echo up; while :; do sleep 0.05; done');
    const execution = await executor.start(launch, sink);
    await until('it is up', () => sink.text('stdout') === 'up\n');
    await bench.engine.stop();
    await bench.engine.start();
    expect(await execution.exited).toMatchObject({ exitCode: 3 });
    expect(sink.text('stdout')).toBe('up\nbye\n');
  });

  it('one that never comes back does not hide that the workload is gone', async () => {
    await using bench = await ContainerBench.open({ liveRestore: true });
    await using executor = await bench.executor({ engineAwayMs: 10 });
    const execution = await executor.start(bench.shell('sleep 300'), new RecordingSink());
    await bench.engine.kill();
    await until('the absence is told', () =>
      execution.limitations.some((text) => text.includes('does not answer')),
    );
    const { pid = 0 } = execution.handle;
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    process.kill(pid, 'SIGKILL');
    const exit = await execution.exited;
    expect(exit).toMatchObject({ reason: 'executor-unavailable' });
    expect(exit.message).toContain('exit code is not known');
  });
});
