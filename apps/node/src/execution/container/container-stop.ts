import { constants } from 'node:os';
import {
  backoffMs,
  type Clock,
  type Logger,
  type Random,
  errorMessage,
  sleep,
  type Timer,
} from '@clawbernetes/kernel';
import type { EndReason } from '@clawbernetes/protocol';
import type { Engine } from './engine.ts';
import { descendants, hasNoHandler, signalAll } from './host-process.ts';

const BACKOFF = { firstMs: 100, maxMs: 5000 } as const;

export interface ContainerStopDeps {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface StopTarget {
  readonly containerId: string;
  /** Of the image, such as `SIGTERM` or `SIGINT`. */
  readonly stopSignal: string;
  /** On this host; absent where the engine has its own machine. */
  readonly pid?: number | undefined;
}

/**
 * Ends a container: the image's stop signal, then after the grace the kill; tries on while the engine is
 * away.
 */
export class ContainerStop {
  readonly #deps: ContainerStopDeps;
  readonly #target: StopTarget;
  readonly #ended = new AbortController();
  #reason: EndReason | undefined;
  #killAtMs = Infinity;
  #timer: Timer | undefined;
  #polite = false;
  #killing = false;

  constructor(deps: ContainerStopDeps, target: StopTarget) {
    this.#deps = deps;
    this.#target = target;
  }

  /** Of the first request. */
  get reason(): EndReason | undefined {
    return this.#reason;
  }

  request(graceMs: number, reason: EndReason): void {
    if (this.#ended.signal.aborted) return;
    this.#reason ??= reason;
    const { clock } = this.#deps;
    const killAtMs = clock.monotonicMs() + graceMs;
    if (killAtMs < this.#killAtMs) {
      this.#killAtMs = killAtMs;
      this.#timer?.cancel();
      if (graceMs === 0) this.#kill();
      else this.#timer = clock.after(graceMs, () => this.#kill());
    }
    if (this.#polite || graceMs === 0) return;
    this.#polite = true;
    void this.#askPolitely();
  }

  /** The container is gone. */
  end(): void {
    this.#timer?.cancel();
    this.#ended.abort();
  }

  /**
   * A program that leaves the signal to its default action expects to end by it, but as the first process of
   * a container the kernel shields it. So its children are asked in its place, and without any it is killed
   * at once.
   */
  async #askPolitely(): Promise<void> {
    const { containerId, stopSignal, pid } = this.#target;
    const shielded = pid !== undefined && (await hasNoHandler(pid, stopSignal));
    if (!shielded) return this.#deliver(stopSignal);
    const children = await descendants(pid);
    if (children.length === 0) return this.#kill();
    this.#deps.logger.debug('Signalling the children of a shielded process', {
      containerId,
      count: children.length,
    });
    if (isSignal(stopSignal)) signalAll(children, stopSignal);
  }

  #kill(): void {
    if (this.#killing) return;
    this.#killing = true;
    void this.#deliver('SIGKILL');
  }

  async #deliver(signal: string): Promise<void> {
    const { engine, clock, random, logger } = this.#deps;
    const { containerId } = this.#target;
    for (let attempt = 0; !this.#ended.signal.aborted; attempt += 1) {
      try {
        await engine.kill(containerId, signal);
        return;
      } catch (error) {
        logger.warn('A signal did not reach its container', {
          containerId,
          signal,
          error: errorMessage(error),
        });
      }
      const wait = sleep(clock, backoffMs(attempt, BACKOFF, random), { signal: this.#ended.signal });
      await wait.catch(() => undefined);
    }
  }
}

function isSignal(name: string): name is NodeJS.Signals {
  return name in constants.signals;
}
