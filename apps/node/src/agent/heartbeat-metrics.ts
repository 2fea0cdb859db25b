import { errorMessage, withTimeout, type Clock, type Logger } from '@clawbernetes/kernel';
import type { Hardware, MetricsSample } from '../host.ts';

/** A heartbeat waits this long for its metrics, then goes without. */
const SAMPLE_DEADLINE_MS = 5000;
/**
 * Heartbeats come a little early or late; without slack an interval like theirs would leave out every second
 * one.
 */
const SLACK_MS = 500;

export interface HeartbeatMetricsOptions {
  /** Samples are taken at most this often; heartbeats in between carry none. */
  readonly intervalMs: number;
  /** Otherwise temperature, power, clock and ECC stay on the node. */
  readonly detailedGpuMetrics: boolean;
}

/** Metrics for heartbeats. A probe that hangs costs one deadline; until it returns, nothing asks it again. */
export class HeartbeatMetrics {
  readonly #deps: { readonly clock: Clock; readonly logger: Logger; readonly hardware: Hardware };
  readonly #options: HeartbeatMetricsOptions;
  #running = false;
  #nextAtMs = -Infinity;

  constructor(
    deps: { readonly clock: Clock; readonly logger: Logger; readonly hardware: Hardware },
    options: HeartbeatMetricsOptions,
  ) {
    this.#deps = deps;
    this.#options = options;
  }

  /** A sample, or undefined if none is due or none came in time. Never rejects. */
  async sample(): Promise<MetricsSample | undefined> {
    const { clock, logger } = this.#deps;
    const nowMs = clock.monotonicMs();
    if (this.#running || nowMs < this.#nextAtMs - SLACK_MS) return undefined;
    this.#nextAtMs = nowMs + this.#options.intervalMs;
    try {
      const message = `Metrics took longer than ${SAMPLE_DEADLINE_MS} ms.`;
      return this.#reduce(await withTimeout(clock, SAMPLE_DEADLINE_MS, message, this.#measure()));
    } catch (error) {
      logger.warn('Metrics are missing from this heartbeat', { error: errorMessage(error) });
      return undefined;
    }
  }

  async #measure(): Promise<MetricsSample> {
    this.#running = true;
    try {
      return await this.#deps.hardware.sample({});
    } finally {
      this.#running = false;
    }
  }

  #reduce(sample: MetricsSample): MetricsSample {
    if (this.#options.detailedGpuMetrics) return sample;
    const gpus = sample.gpus.map(({ deviceId, utilizationPercent, memoryUsedMib }) => ({
      deviceId,
      utilizationPercent,
      memoryUsedMib,
    }));
    return { ...sample, gpus };
  }
}
