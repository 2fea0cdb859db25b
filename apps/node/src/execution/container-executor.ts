import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  assert,
  type Clock,
  CodedError,
  errorMessage,
  type Logger,
  type Random,
  type Timer,
} from '@clawbernetes/kernel';
import { ContainerExecution } from './container/container-execution.ts';
import { ContainerOutput } from './container/container-output.ts';
import {
  ATTEMPT_LABEL,
  containerName,
  type ContainerPolicy,
  containerSpec,
  OWNER_LABEL,
} from './container/container-spec.ts';
import type { ContainerState } from './container/container-state.ts';
import { Engine, type EngineFacts } from './container/engine.ts';
import { refusalStatus } from './container/engine-client.ts';
import { engineSockets, type EngineSocketOptions } from './container/engine-socket.ts';
import { containerPidStartTicks } from './container/host-process.ts';
import { ensureImage } from './container/image-pull.ts';
import { OutputMark } from './container/output-mark.ts';
import { startFailure } from './container/start-failure.ts';
import type { Execution, ExecutionHandle, Executor, Launch, OutputSink } from './executor.ts';

export interface ContainerExecutorDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface ContainerExecutorOptions
  extends
    EngineSocketOptions,
    Pick<ContainerPolicy, 'owner' | 'user'>,
    Partial<Pick<ContainerPolicy, 'maxProcesses'>> {
  /** A folder of our own, for small files that outlive the supervisor. */
  readonly stateFolder: string;
  /**
   * Attempts that have not ended, as far as the supervisor knows; containers of other attempts of `owner` are
   * removed.
   */
  readonly knownAttempts: readonly string[];
  /** For an engine's first answer; default 5 s. */
  readonly connectTimeoutMs?: number;
  /**
   * How long an ended container stays, so that its end can be read again if the supervisor dies now; default
   * 5 s.
   */
  readonly lingerMs?: number;
  /**
   * How long to wait for an engine that is away before a workload whose process is gone counts as ended;
   * default 60 s.
   */
  readonly engineAwayMs?: number;
}

const DEFAULTS = {
  connectTimeoutMs: 5000,
  lingerMs: 5000,
  engineAwayMs: 60_000,
  maxProcesses: 4096,
} as const;

/** No engine on this host, and what was tried. */
export interface ContainerUnavailable {
  readonly kind: 'unavailable';
  readonly reason: string;
}

/** Finds an engine; where there is none, or none that answers, says why. */
export async function openContainerExecutor(
  deps: ContainerExecutorDeps,
  options: ContainerExecutorOptions,
): Promise<ContainerExecutor | ContainerUnavailable> {
  const failures: string[] = [];
  const timeoutMs = options.connectTimeoutMs ?? DEFAULTS.connectTimeoutMs;
  try {
    for (const socketPath of engineSockets(options)) {
      try {
        return await ContainerExecutor.open(
          deps,
          options,
          await Engine.open(deps, { socketPath, timeoutMs }),
        );
      } catch (error) {
        failures.push(errorMessage(error));
      }
    }
  } catch (error) {
    failures.push(errorMessage(error));
  }
  const remedy = 'Install and start Docker, or name its socket in the configuration of this node.';
  return { kind: 'unavailable', reason: `No container engine answers. ${failures.join(' ')} ${remedy}` };
}

/** Runs attempts as containers of a Docker-compatible engine. */
export class ContainerExecutor implements Executor, AsyncDisposable {
  readonly kind = 'container';
  readonly engine: EngineFacts;
  readonly #deps: ContainerExecutorDeps;
  readonly #options: ContainerExecutorOptions;
  readonly #policy: ContainerPolicy;
  readonly #engine: Engine;
  readonly #executions = new Map<string, ContainerExecution>();
  readonly #lingering = new Map<string, Timer>();

  private constructor(deps: ContainerExecutorDeps, options: ContainerExecutorOptions, engine: Engine) {
    this.#deps = deps;
    this.#options = options;
    this.#engine = engine;
    this.engine = engine.facts;
    this.#policy = {
      owner: options.owner,
      maxProcesses: options.maxProcesses ?? DEFAULTS.maxProcesses,
      ...(options.user === undefined ? {} : { user: options.user }),
    };
  }

  static async open(
    deps: ContainerExecutorDeps,
    options: ContainerExecutorOptions,
    engine: Engine,
  ): Promise<ContainerExecutor> {
    await mkdir(options.stateFolder, { recursive: true, mode: 0o700 });
    const executor = new ContainerExecutor(deps, options, engine);
    await executor.#removeLeftovers();
    return executor;
  }

  get limitations(): readonly string[] {
    return this.#engine.facts.limitations;
  }

  async prepare({ spec }: Launch, options: { signal?: AbortSignal }): Promise<void> {
    assert(spec.image !== undefined, 'a workload for a container has an image');
    await ensureImage({ ...this.#deps, engine: this.#engine }, spec.image, options);
  }

  async start(launch: Launch, sink: OutputSink): Promise<Execution> {
    const name = containerName(launch.attemptId);
    let output: ContainerOutput | undefined;
    try {
      const found = await this.#create(name, launch);
      output = await this.#output(launch.attemptId, found.id, sink);
      if (found.status === 'created') {
        await output.attach();
        await this.#engine.start(found.id);
      } else {
        output.poll();
      }
      return await this.#watch(launch.attemptId, await this.#engine.inspect(found.id), output);
    } catch (error) {
      await output?.detach();
      await this.#removeOurs(launch.attemptId, name);
      throw startFailure(launch, error);
    }
  }

  async recover(
    attemptId: string,
    handle: ExecutionHandle,
    sink: OutputSink,
  ): Promise<Execution | undefined> {
    const name = containerName(attemptId);
    try {
      const state = await this.#engine.inspect(handle.containerId ?? name);
      if (!this.#isOurs(state, attemptId)) return undefined;
      if (state.status === 'created') {
        await this.#remove(attemptId, name);
        return undefined;
      }
      const output = await this.#output(attemptId, state.id, sink);
      output.poll();
      return await this.#watch(attemptId, state, output);
    } catch (error) {
      if (refusalStatus(error) === 404) return undefined;
      if (handle.containerId === undefined) throw error;
      return this.#watchUnseen(attemptId, { ...handle, containerId: handle.containerId }, sink);
    }
  }

  /** Stops watching; containers run on, and those whose end is known are removed. */
  async [Symbol.asyncDispose](): Promise<void> {
    const lingering = [...this.#lingering];
    for (const [, timer] of lingering) timer.cancel();
    this.#lingering.clear();
    await Promise.all(lingering.map(([attemptId]) => this.#remove(attemptId, containerName(attemptId))));
    await Promise.all([...this.#executions.values()].map((execution) => execution.detach()));
    this.#executions.clear();
  }

  /** A name that is taken is ours from before a crash, and is adopted, unless somebody else uses it. */
  async #create(name: string, launch: Launch): Promise<Pick<ContainerState, 'id' | 'status'>> {
    try {
      const id = await this.#engine.create(name, containerSpec(launch, this.engine, this.#policy));
      return { id, status: 'created' };
    } catch (error) {
      if (refusalStatus(error) !== 409) throw error;
    }
    const state = await this.#engine.inspect(name);
    if (this.#isOurs(state, launch.attemptId)) return state;
    throw new CodedError(`A container of somebody else is named ${name}; remove it.`, {
      code: 'launch-failed',
    });
  }

  #isOurs({ labels }: ContainerState, attemptId: string): boolean {
    return (
      labels.at(ATTEMPT_LABEL).text() === attemptId && labels.at(OWNER_LABEL).text() === this.#policy.owner
    );
  }

  async #output(attemptId: string, containerId: string, sink: OutputSink): Promise<ContainerOutput> {
    const deps = { ...this.#deps, engine: this.#engine, sink };
    return ContainerOutput.open(deps, { containerId, markPath: this.#markPath(attemptId) });
  }

  async #watch(attemptId: string, state: ContainerState, output: ContainerOutput): Promise<Execution> {
    const { id, pid, stopSignal } = state;
    const pidStartTicks = pid === undefined ? undefined : await containerPidStartTicks(pid, id);
    const process = pid === undefined || pidStartTicks === undefined ? {} : { pid, pidStartTicks };
    return this.#execution(
      attemptId,
      { executor: 'container', containerId: id, ...process },
      stopSignal,
      output,
    );
  }

  /** The engine went away since `open`: the container may run, so it is watched until the engine is back. */
  async #watchUnseen(
    attemptId: string,
    handle: ExecutionHandle & { readonly containerId: string },
    sink: OutputSink,
  ): Promise<Execution> {
    const output = await this.#output(attemptId, handle.containerId, sink);
    output.poll();
    return this.#execution(attemptId, handle, 'SIGTERM', output);
  }

  #execution(
    attemptId: string,
    handle: ExecutionHandle & { readonly containerId: string },
    stopSignal: string,
    output: ContainerOutput,
  ): Execution {
    const execution = new ContainerExecution(
      { ...this.#deps, engine: this.#engine },
      {
        handle,
        stopSignal,
        output,
        engineAwayMs: this.#options.engineAwayMs ?? DEFAULTS.engineAwayMs,
      },
    );
    this.#executions.set(attemptId, execution);
    void execution.exited.then(() => this.#removeLater(attemptId));
    return execution;
  }

  #removeLater(attemptId: string): void {
    this.#executions.delete(attemptId);
    const lingerMs = this.#options.lingerMs ?? DEFAULTS.lingerMs;
    const timer = this.#deps.clock.after(lingerMs, () => {
      this.#lingering.delete(attemptId);
      void this.#remove(attemptId, containerName(attemptId));
    });
    this.#lingering.set(attemptId, timer);
  }

  /** After a failed start, when somebody else's container may bear the name. */
  async #removeOurs(attemptId: string, name: string): Promise<void> {
    const state = await this.#engine.inspect(name).catch(() => undefined);
    if (state !== undefined && this.#isOurs(state, attemptId)) await this.#remove(attemptId, state.id);
  }

  /** What cannot be removed now is found by its label when the executor opens again. */
  async #remove(attemptId: string, idOrName: string): Promise<void> {
    try {
      await this.#engine.remove(idOrName);
      await OutputMark.remove(this.#markPath(attemptId));
    } catch (error) {
      this.#deps.logger.warn('A container could not be removed', { attemptId, error: errorMessage(error) });
    }
  }

  async #removeLeftovers(): Promise<void> {
    const known = new Set(this.#options.knownAttempts);
    for (const { id, labels } of await this.#engine.list(`${OWNER_LABEL}=${this.#policy.owner}`)) {
      const attemptId = labels.at(ATTEMPT_LABEL).text() ?? '';
      if (known.has(attemptId)) continue;
      this.#deps.logger.info('Removing a container that was left behind', { attemptId });
      await this.#remove(attemptId, id);
    }
  }

  #markPath(attemptId: string): string {
    return join(this.#options.stateFolder, `${containerName(attemptId)}.json`);
  }
}
