import { newId, systemClock, systemRandom } from '@clawbernetes/kernel';
import { workloadSpecSchema, type WorkloadSpecInput } from '@clawbernetes/protocol';
import { expect, it } from 'vitest';
import type { Execution, ExecutionExit, ExecutionHandle, Executor, Launch } from '../execution/executor.ts';
import { RecordingSink } from './recording-sink.ts';

/** What a host or an adapter may lack; a test that needs it is then skipped by name with the reason. */
export const EXECUTOR_CAPABILITIES = [
  'memory-limit',
  'cpu-limit',
  'process-limit',
  'read-only-system',
  'private-tmp',
  'no-network',
  'exact-signals',
  'kills-daemons',
  'recover-kills',
  'exec',
  'stats',
] as const;
export type ExecutorCapability = (typeof EXECUTOR_CAPABILITIES)[number];

export interface ExecutorFixture extends AsyncDisposable {
  readonly executor: Executor;
  /** Parts of every spec, such as the image. Commands of the suite need sh and the tools of busybox. */
  readonly spec: Partial<WorkloadSpecInput>;
  /** What of the attempt is still on the host, in words: processes, cgroups, containers, folders. */
  leftovers(attemptId: string, handle: ExecutionHandle): Promise<readonly string[]>;
}

export interface ExecutorSuiteOptions {
  /** Why this host cannot run the executor at all, and what would change that. */
  readonly skip?: string;
  readonly lacks?: Partial<Record<ExecutorCapability, string>>;
}

interface Run {
  readonly sink: RecordingSink;
  readonly execution: Execution;
}

/** Starts attempts on the fixture and checks after each test that nothing of them is left. */
export class ExecutorBench {
  readonly #open: () => Promise<ExecutorFixture>;
  readonly #lacks: Partial<Record<ExecutorCapability, string>>;
  #fixture: ExecutorFixture | undefined;
  #runs: { readonly attemptId: string; readonly execution: Execution }[] = [];

  constructor(open: () => Promise<ExecutorFixture>, lacks: Partial<Record<ExecutorCapability, string>>) {
    this.#open = open;
    this.#lacks = lacks;
  }

  get fixture(): ExecutorFixture {
    if (this.#fixture === undefined) throw new Error('the fixture is open');
    return this.#fixture;
  }

  async open(): Promise<void> {
    this.#fixture = await this.#open();
  }

  async close(): Promise<void> {
    await this.#fixture?.[Symbol.asyncDispose]();
  }

  launch(command: readonly string[], overrides: Partial<WorkloadSpecInput> = {}): Launch {
    const spec = workloadSpecSchema.parse({ ...this.fixture.spec, command, ...overrides });
    return {
      attemptId: newId('attempt', systemClock, systemRandom),
      workloadId: newId('workload', systemClock, systemRandom),
      namespace: 'default',
      epoch: { term: 1, counter: 1 },
      spec,
      devices: [],
    };
  }

  async start(
    command: readonly string[],
    overrides: Partial<WorkloadSpecInput> = {},
    sink = new RecordingSink(),
  ): Promise<Run> {
    const launch = this.launch(command, overrides);
    await this.fixture.executor.prepare(launch, {});
    const execution = await this.fixture.executor.start(launch, sink);
    this.#runs.push({ attemptId: launch.attemptId, execution });
    return { sink, execution };
  }

  shell(
    script: string,
    overrides: Partial<WorkloadSpecInput> = {},
    sink = new RecordingSink(),
  ): Promise<Run> {
    return this.start(['sh', '-c', script], overrides, sink);
  }

  /** Runs a shell script to its end. */
  async finish(
    script: string,
    overrides: Partial<WorkloadSpecInput> = {},
  ): Promise<{ sink: RecordingSink; exit: ExecutionExit }> {
    const { sink, execution } = await this.shell(script, overrides);
    return { sink, exit: await execution.exited };
  }

  async refused(command: readonly string[], overrides: Partial<WorkloadSpecInput> = {}): Promise<unknown> {
    const launch = this.launch(command, overrides);
    await this.fixture.executor.prepare(launch, {});
    return this.fixture.executor.start(launch, new RecordingSink()).then(
      () => expect.unreachable('the start should have been refused'),
      (error: unknown) => error,
    );
  }

  test(name: string, body: () => Promise<void>): void {
    it(name, body);
  }

  /** A test that needs `capability`. */
  testWith(capability: ExecutorCapability, name: string, body: () => Promise<void>): void {
    const reason = this.#lacks[capability];
    it.skipIf(reason !== undefined)(reason === undefined ? name : `${name} [skipped: ${reason}]`, body);
  }

  async expectNothingLeft(): Promise<void> {
    const runs = this.#runs.splice(0);
    for (const { execution } of runs) execution.stop(0, 'stopped');
    await Promise.all(runs.map(({ execution }) => execution.exited));
    for (const { attemptId, execution } of runs) {
      expect(await this.fixture.leftovers(attemptId, execution.handle), 'left behind').toEqual([]);
    }
  }
}
