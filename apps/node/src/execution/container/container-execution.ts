import {
  backoffMs,
  type Clock,
  type Logger,
  type Random,
  errorMessage,
  sleep,
  CodedError,
} from '@clawbernetes/kernel';
import type { EndReason } from '@clawbernetes/protocol';
import type {
  ExecRequest,
  ExecResult,
  Execution,
  ExecutionExit,
  ExecutionHandle,
  ExecutionStats,
} from '../executor.ts';
import { containerExec } from './container-exec.ts';
import { containerExit, unknownExit } from './container-exit.ts';
import type { ContainerOutput } from './container-output.ts';
import type { ContainerState } from './container-state.ts';
import { containerStats } from './container-stats.ts';
import { ContainerStop } from './container-stop.ts';
import type { Engine } from './engine.ts';
import { refusalStatus } from './engine-client.ts';
import { processRuns } from './host-process.ts';
import { killedAtMemoryLimit } from './kernel-log.ts';

const BACKOFF = { firstMs: 100, maxMs: 5000 } as const;
/** Of SIGKILL, as engines report it. */
const KILLED = 137;
/** Looks for late news of an end, and ms between two. */
const LATE_LOOKS = 20;
const LATE_LOOK_MS = 50;

export interface ContainerExecutionDeps {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface ContainerExecutionOptions {
  readonly handle: ExecutionHandle & { readonly containerId: string };
  readonly stopSignal: string;
  readonly output: ContainerOutput;
  /** How long an engine may stay away after the container's process is known to be gone. */
  readonly engineAwayMs: number;
}

/** A container that runs, watched until its end, also while its engine is away. */
export class ContainerExecution implements Execution {
  readonly handle: ExecutionHandle;
  readonly sandbox = 'container';
  readonly exited: Promise<ExecutionExit>;
  readonly #deps: ContainerExecutionDeps;
  readonly #options: ContainerExecutionOptions;
  readonly #containerId: string;
  readonly #output: ContainerOutput;
  readonly #stop: ContainerStop;
  readonly #detached = new AbortController();
  #engineWasAway = false;
  #awaySinceMs: number | undefined;
  #hasEnded = false;

  constructor(deps: ContainerExecutionDeps, options: ContainerExecutionOptions) {
    const { handle, output, stopSignal } = options;
    this.#deps = deps;
    this.#options = options;
    this.handle = handle;
    this.#containerId = handle.containerId;
    this.#output = output;
    this.#stop = new ContainerStop(deps, { containerId: handle.containerId, stopSignal, pid: handle.pid });
    this.exited = this.#watch();
  }

  get limitations(): readonly string[] {
    const { facts } = this.#deps.engine;
    const limitations = [...facts.limitations];
    if (this.#awaySinceMs !== undefined) {
      limitations.push(`${facts.name} does not answer; the workload is not watched meanwhile.`);
    }
    if (this.#output.gap) {
      limitations.push(
        'Some output may be missing or come twice: the log of the engine was full or unreadable.',
      );
    }
    return limitations;
  }

  stop(graceMs: number, reason: EndReason): void {
    this.#stop.request(graceMs, reason);
  }

  async exec(request: ExecRequest): Promise<ExecResult> {
    this.#assertRunning();
    return containerExec(this.#deps, this.#containerId, request);
  }

  async stats(): Promise<ExecutionStats> {
    this.#assertRunning();
    return containerStats(await this.#deps.engine.stats(this.#containerId));
  }

  /** Leaves the container to a later supervisor: `exited` stays open if it still runs. */
  async detach(): Promise<void> {
    this.#detached.abort();
    this.#stop.end();
    await this.#output.detach();
  }

  #assertRunning(): void {
    if (!this.#hasEnded) return;
    throw new CodedError('The workload has ended.', { code: 'attempt-not-running' });
  }

  async #watch(): Promise<ExecutionExit> {
    const exit = await this.#end();
    this.#hasEnded = true;
    this.#stop.end();
    await this.#output.finish({ doubtful: this.#engineWasAway });
    return exit;
  }

  async #end(): Promise<ExecutionExit> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        const ended = await this.#waitForEnd(attempt > 0);
        if (ended) return this.#exit(await this.#withLateNews(ended));
      } catch (error) {
        const exit = await this.#onFailure(error);
        if (exit) return exit;
      }
      await this.#pause(attempt);
    }
  }

  /** `reconnecting`: looks first whether the engine is back, and how the container fared meanwhile. */
  async #waitForEnd(reconnecting: boolean): Promise<ContainerState | undefined> {
    const { engine } = this.#deps;
    if (reconnecting) {
      const state = await engine.inspect(this.#containerId);
      this.#awaySinceMs = undefined;
      if (state.status !== 'running') return state;
      this.#output.poll();
    }
    await engine.wait(this.#containerId, { signal: this.#detached.signal });
    const state = await engine.inspect(this.#containerId);
    return state.status === 'running' ? undefined : state;
  }

  /**
   * The engine hears of a kill for memory by another way than of the end: at times a moment later, or never.
   */
  async #withLateNews(ended: ContainerState): Promise<ContainerState> {
    const { clock, engine } = this.#deps;
    if (mayBeOutOfMemory(ended) && (await killedAtMemoryLimit(this.#containerId))) {
      return { ...ended, outOfMemory: true };
    }
    if (ended.exitCode !== KILLED || this.#stop.reason !== undefined) return ended;
    let state = ended;
    for (let looks = 0; looks < LATE_LOOKS && mayBeOutOfMemory(state); looks += 1) {
      await sleep(clock, LATE_LOOK_MS, { signal: this.#detached.signal });
      state = await engine.inspect(this.#containerId);
    }
    return state;
  }

  #exit(state: ContainerState): ExecutionExit {
    return containerExit(state, { stopReason: this.#stop.reason, nowMs: this.#deps.clock.nowMs() });
  }

  async #onFailure(error: unknown): Promise<ExecutionExit | undefined> {
    if (this.#detached.signal.aborted) return Promise.withResolvers<never>().promise;
    const { clock, logger, engine } = this.#deps;
    if (refusalStatus(error) === 404) {
      return unknownExit(
        'Its container was removed by someone else; how it ended is not known.',
        clock.nowMs(),
      );
    }
    this.#engineWasAway = true;
    if (this.#awaySinceMs === undefined) {
      this.#awaySinceMs = clock.monotonicMs();
      logger.warn('The container engine is away', { engine: engine.facts.name, error: errorMessage(error) });
    }
    return this.#endedUnseen(this.#awaySinceMs);
  }

  /**
   * While the engine stays away only the process itself can tell; gone, it is given time to come back and say
   * more.
   */
  async #endedUnseen(awaySinceMs: number): Promise<ExecutionExit | undefined> {
    const { clock, engine } = this.#deps;
    const { pid, pidStartTicks } = this.handle;
    if (clock.monotonicMs() - awaySinceMs < this.#options.engineAwayMs) return undefined;
    if (pid === undefined || pidStartTicks === undefined || (await processRuns(pid, pidStartTicks)))
      return undefined;
    const what = `The workload ended while ${engine.facts.name} was away, which did not come back`;
    const message = `${what}; its exit code is not known.`;
    return unknownExit(message, clock.nowMs());
  }

  async #pause(attempt: number): Promise<void> {
    const { clock, random } = this.#deps;
    const { signal } = this.#detached;
    await sleep(clock, backoffMs(attempt, BACKOFF, random), { signal }).catch(() => undefined);
  }
}

/** A program that lives on after its child was killed for memory may fail in any way. */
function mayBeOutOfMemory({ outOfMemory, exitCode, memoryLimitBytes }: ContainerState): boolean {
  return !outOfMemory && exitCode !== 0 && memoryLimitBytes > 0;
}
