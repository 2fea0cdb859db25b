import {
  backoffMs,
  CodedError,
  errorCode,
  errorMessage,
  formatDuration,
  sleep,
  type Clock,
  type Logger,
  type Random,
  type Timer,
} from '@clawbernetes/kernel';
import type { AttemptStatus, EndReason } from '@clawbernetes/protocol';
import { END_REASONS } from '@clawbernetes/protocol/attempt';
import type {
  ExecRequest,
  ExecResult,
  Execution,
  ExecutionExit,
  ExecutionHandle,
  ExecutionStats,
  Executor,
  Launch,
} from '../execution/executor.ts';
import { SHARE_NOT_ENFORCED } from '../execution/process/gpu-share.ts';
import { endChange, type StatusChange } from './attempt-machine.ts';
import type { AttemptOutput } from './attempt-output.ts';
import { stopsAfterMs } from './contact-watch.ts';
import { afterLong } from './long-timer.ts';
import { supervisorError } from './supervisor-error.ts';
import type { AttemptEntry, StopOrder } from './supervisor-state.ts';

/**
 * Pauses between tries to reach an executor (a container engine that is away) after the supervisor's own
 * restart.
 */
const RECOVERY_BACKOFF = { firstMs: 200, maxMs: 30_000 };

/**
 * A container engine may be away for long, so waiting for it has no end; nothing of the kind holds for
 * processes.
 */
const MAX_PROCESS_RECOVERIES = 5;
/**
 * Code of the failure whose attempt ends as `lost`: whether anything of it still runs could not be found out.
 */
const LOST = 'lost';
const RUNS_ON =
  'If supervisor and agent are both killed, it runs on without contact until one of them is started again.';
/** Less than this between the two clocks is slewing and rounding. */
const CLOCK_WAS_SET_MS = 1000;

export interface AttemptRunnerDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly output: AttemptOutput;
  executor(): Promise<Executor>;
  /** Takes every change, in order; the last one is terminal. */
  changed(change: StatusChange, more?: { handle?: ExecutionHandle; stop?: StopOrder }): void;
}

/** Carries one attempt from its acceptance to its end. */
export class AttemptRunner {
  readonly #deps: AttemptRunnerDeps;
  readonly #launch: Launch;
  readonly #cancelled = new AbortController();
  readonly #released = Promise.withResolvers<void>();
  #execution: Execution | undefined;
  #stop: StopOrder | undefined;
  #timeout: Timer | undefined;
  /** When it started, by the wall clock and, if it started under this supervisor, by the monotonic one. */
  #began: { readonly atMs: number; readonly monotonicMs?: number } | undefined;

  constructor(deps: AttemptRunnerDeps, launch: Launch) {
    this.#deps = deps;
    this.#launch = launch;
  }

  /** Prepares, starts and follows the attempt; resolves after its end was told. Never rejects. */
  run(): Promise<void> {
    return this.#follow(() => this.#start());
  }

  /** Takes over after the supervisor's own restart; `gone` is the reason to report if it runs no more. */
  adopt({ status, handle, stop }: AttemptEntry, gone: EndReason): Promise<void> {
    this.#stop = stop;
    const kind = this.#launch.spec.image === undefined ? 'process' : 'container';
    return this.#follow(() => this.#recover(status, handle ?? { executor: kind }, gone));
  }

  /** Orders the end, in whatever state it is. */
  stop(order: StopOrder): void {
    const first = this.#stop === undefined;
    this.#stop ??= order;
    if (first) this.#deps.changed({ state: 'stopping' }, { stop: order });
    this.#cancelled.abort();
    this.#execution?.stop(order.graceMs, this.#stop.reason);
  }

  /** Lets an attempt that waits at its barrier begin, or one that will come there pass. Safe to repeat. */
  release(): void {
    this.#released.resolve();
  }

  exec(request: ExecRequest): Promise<ExecResult> {
    return this.#running().exec(request);
  }

  stats(): Promise<ExecutionStats> {
    return this.#running().stats();
  }

  async #follow(begin: () => Promise<Execution>): Promise<void> {
    try {
      this.#execution = await begin();
      this.#end(await this.#execution.exited);
    } catch (error) {
      this.#end(this.#failure(error), errorCode(error) === LOST ? 'lost' : undefined);
    }
  }

  async #start(): Promise<Execution> {
    const { clock, output, changed } = this.#deps;
    const executor = await this.#deps.executor();
    if (this.#launch.spec.image !== undefined && !this.#stop) changed({ state: 'preparing' });
    await this.#unlessStopped(executor.prepare(this.#launch, { signal: this.#cancelled.signal }));
    if (this.#launch.barrier) await this.#waitForRelease();
    const execution = await executor.start(this.#launch, output);
    const { handle, sandbox } = execution;
    const limitations = this.#limitations(execution);
    const state = this.#stop ? 'stopping' : 'running';
    this.#began = { atMs: clock.nowMs(), monotonicMs: clock.monotonicMs() };
    changed({ state, startedAtMs: this.#began.atMs, sandbox, limitations }, { handle });
    this.#limitTime(execution, this.#launch.spec.timeoutMs);
    if (this.#stop) execution.stop(this.#stop.graceMs, this.#stop.reason);
    return execution;
  }

  #limitations({ sandbox, limitations }: Execution): readonly string[] {
    // What outlives a supervisor that is killed has nobody then who ends it without contact.
    const isAlone = stopsAfterMs(this.#launch) !== undefined && sandbox !== 'bubblewrap';
    // A bare process says by itself how far it is kept to its share.
    const isShared = this.#launch.spec.resources.gpuMilli !== undefined && sandbox !== 'none';
    return [...limitations, ...(isAlone ? [RUNS_ON] : []), ...(isShared ? [SHARE_NOT_ENFORCED] : [])];
  }

  async #waitForRelease(): Promise<void> {
    if (!this.#stop) this.#deps.changed({ state: 'ready' });
    await this.#unlessStopped(this.#released.promise);
  }

  async #recover(status: AttemptStatus, handle: ExecutionHandle, gone: EndReason): Promise<Execution> {
    // Nothing of before a restart of the machine runs, and its pids may be others' now.
    const over = gone === 'node-restarted' && handle.executor === 'process';
    const execution = over ? undefined : await this.#recoverWithRetries(handle);
    if (!execution) throw new CodedError(GONE[gone] ?? 'It runs no more.', { code: gone });
    const { clock, output, changed } = this.#deps;
    const { startedAtMs = clock.nowMs() } = status;
    this.#began = { atMs: startedAtMs };
    if (status.startedAtMs === undefined) {
      const { sandbox } = execution;
      const limitations = this.#limitations(execution);
      const state = this.#stop ? 'stopping' : 'running';
      changed({ state, startedAtMs, sandbox, limitations }, { handle: execution.handle });
    }
    output.notice('The supervisor was restarted here; output from around this moment may be missing.');
    const { timeoutMs } = this.#launch.spec;
    this.#limitTime(execution, timeoutMs && Math.max(0, startedAtMs + timeoutMs - clock.nowMs()));
    if (this.#stop) execution.stop(this.#stop.graceMs, this.#stop.reason);
    return execution;
  }

  async #recoverWithRetries(handle: ExecutionHandle): Promise<Execution | undefined> {
    const { clock, random, logger, output } = this.#deps;
    for (let attempt = 0; ; attempt += 1) {
      try {
        const executor = await this.#deps.executor();
        return await executor.recover(this.#launch.attemptId, handle, output);
      } catch (error) {
        logger.warn('An attempt cannot be taken over yet', { ...this.#facts(), error: errorMessage(error) });
        if (handle.executor === 'process' && attempt >= MAX_PROCESS_RECOVERIES) throw lost(error);
      }
      await sleep(clock, backoffMs(attempt, RECOVERY_BACKOFF, random));
    }
  }

  async #unlessStopped(work: Promise<void>): Promise<void> {
    const { promise: stopped, reject } = Promise.withResolvers<never>();
    const stop = (): void =>
      reject(new CodedError('It was stopped before it had started.', { code: 'stopped' }));
    if (this.#cancelled.signal.aborted) stop();
    this.#cancelled.signal.addEventListener('abort', stop, { once: true });
    await Promise.race([work, stopped]);
  }

  #limitTime(execution: Execution, timeoutMs: number | undefined): void {
    if (timeoutMs === undefined) return;
    this.#timeout = afterLong(this.#deps.clock, timeoutMs, () => {
      const order: StopOrder = { graceMs: this.#launch.spec.stopGraceMs, reason: 'timeout' };
      if (this.#stop) return;
      this.#stop = order;
      this.#deps.changed({ state: 'stopping' }, { stop: order });
      execution.stop(order.graceMs, 'timeout');
    });
  }

  #end(exit: ExecutionExit, state?: 'lost'): void {
    this.#timeout?.cancel();
    this.#execution = undefined;
    const { output, changed } = this.#deps;
    const lostOutput = output.finish();
    const message = [this.#explain(exit.reason), exit.message, lostOutput].filter(Boolean).join(' ');
    const finishedAtMs = this.#finishedAtMs(exit.finishedAtMs);
    const end = endChange({ ...exit, finishedAtMs, ...(message && { message }) }, output.logEnd);
    changed(state ? { ...end, state } : end);
  }

  /**
   * By the clock as it was when the work started, so that its duration is right if the clock was set since.
   */
  #finishedAtMs(saidMs: number): number {
    if (!this.#began) return saidMs;
    const { clock } = this.#deps;
    const { atMs, monotonicMs } = this.#began;
    const ranMs = monotonicMs === undefined ? undefined : clock.monotonicMs() - monotonicMs;
    const setMs = ranMs === undefined ? 0 : Math.round(clock.nowMs() - atMs - ranMs);
    return Math.max(atMs, Math.abs(setMs) < CLOCK_WAS_SET_MS ? saidMs : saidMs - setMs);
  }

  #explain(reason: EndReason | undefined): string | undefined {
    const { timeoutMs, onDisconnect } = this.#launch.spec;
    if (reason === 'disconnected')
      return `It was stopped since its node had no contact with the gateway for ${formatDuration(onDisconnect?.afterMs ?? 0)}.`;
    if (reason !== 'timeout' || timeoutMs === undefined) return undefined;
    return `It was stopped at its time limit of ${formatDuration(timeoutMs)}.`;
  }

  #failure(error: unknown): ExecutionExit {
    const code = errorCode(error);
    const known = END_REASONS.find((reason) => reason === code);
    const stopped = this.#cancelled.signal.aborted && !known ? this.#stop?.reason : known;
    this.#deps.logger.debug('An attempt did not run', { ...this.#facts(), code, error: errorMessage(error) });
    return {
      reason: code === LOST ? 'supervisor-lost' : (stopped ?? 'launch-failed'),
      message: errorMessage(error),
      finishedAtMs: this.#deps.clock.nowMs(),
    };
  }

  #running(): Execution {
    if (this.#execution) return this.#execution;
    throw supervisorError('attempt-not-running', `Attempt ${this.#launch.attemptId} is not running.`);
  }

  #facts(): { attemptId: string; workloadId: string } {
    return { attemptId: this.#launch.attemptId, workloadId: this.#launch.workloadId };
  }
}

function lost(cause: unknown): CodedError {
  const message = `Whether it still runs could not be found out after the supervisor was restarted: ${errorMessage(cause)}`;
  return new CodedError(message, { code: LOST }, { cause });
}

const GONE: Partial<Record<EndReason, string>> = {
  'supervisor-lost':
    "The node's supervisor died and this ended with it; whether the program was done is unknown. It can be run again.",
  'node-restarted': 'The node was restarted while it ran. It can be run again.',
};
