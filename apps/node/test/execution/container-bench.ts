// What the container tests share: one real engine, executors on it, and launches of its busybox image.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newId, silentLogger, systemClock, systemRandom } from '@clawbernetes/kernel';
import { workloadSpecSchema, type WorkloadSpecInput } from '@clawbernetes/protocol';
import { expect } from 'vitest';
import {
  ContainerExecutor,
  type ContainerExecutorOptions,
  openContainerExecutor,
} from '../../src/execution/container-executor.ts';
import { EngineClient } from '../../src/execution/container/engine-client.ts';
import { containerName, OWNER_LABEL } from '../../src/execution/container/container-spec.ts';
import type { Launch } from '../../src/execution/executor.ts';
import { DockerEngine, type DockerEngineOptions } from '../../src/testing/docker-engine.ts';

const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
/** Small, so that a fork bomb stays one that a small machine survives. */
const MAX_PROCESSES = 100;

interface TestEngine extends AsyncDisposable {
  readonly socketPath: string;
}

export class ContainerBench<Engine extends TestEngine = DockerEngine> implements AsyncDisposable {
  readonly engine: Engine;
  /** The engine's API, to look at what the executor did from the outside. */
  readonly api: EngineClient;
  readonly owner: string;
  readonly #folder: string;

  private constructor(engine: Engine, folder: string) {
    this.engine = engine;
    this.#folder = folder;
    this.owner = newId('owner', systemClock, systemRandom);
    this.api = new EngineClient(deps, { socketPath: engine.socketPath });
  }

  static async open(options: DockerEngineOptions = {}): Promise<ContainerBench> {
    return ContainerBench.on(await DockerEngine.open(options));
  }

  /** The engine is closed with the bench. */
  static async on<Engine extends TestEngine>(engine: Engine): Promise<ContainerBench<Engine>> {
    return new ContainerBench(engine, await mkdtemp(join(tmpdir(), 'container-bench-')));
  }

  get stateFolder(): string {
    return join(this.#folder, 'state');
  }

  async executor(options: Partial<ContainerExecutorOptions> = {}): Promise<ContainerExecutor> {
    const executor = await openContainerExecutor(deps, {
      socketPath: this.engine.socketPath,
      environment: {},
      owner: this.owner,
      stateFolder: this.stateFolder,
      knownAttempts: [],
      lingerMs: 0,
      maxProcesses: MAX_PROCESSES,
      ...options,
    });
    if (!(executor instanceof ContainerExecutor)) return expect.unreachable(executor.reason);
    return executor;
  }

  launch(command: readonly string[], overrides: Partial<WorkloadSpecInput> = {}): Launch {
    return {
      attemptId: newId('attempt', systemClock, systemRandom),
      workloadId: newId('workload', systemClock, systemRandom),
      namespace: 'default',
      epoch: { term: 1, counter: 1 },
      spec: workloadSpecSchema.parse({ image: 'busybox', command, network: 'none', ...overrides }),
      devices: [],
    };
  }

  shell(script: string, overrides: Partial<WorkloadSpecInput> = {}): Launch {
    return this.launch(['sh', '-c', script], overrides);
  }

  /** Ids of the containers that carry our label. */
  async containers(): Promise<readonly string[]> {
    const filters = JSON.stringify({ label: [`${OWNER_LABEL}=${this.owner}`] });
    const reply = await this.api.call({
      method: 'GET',
      path: '/containers/json',
      query: { all: true, filters },
    });
    return reply.items().map((item) => item.at('Id').text() ?? '');
  }

  async runs(attemptId: string): Promise<boolean> {
    const reply = await this.api.call({
      method: 'GET',
      path: `/containers/${containerName(attemptId)}/json`,
    });
    return reply.at('State', 'Running').flag() === true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
