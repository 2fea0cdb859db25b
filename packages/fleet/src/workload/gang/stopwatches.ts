import type { Clock } from '@clawbernetes/kernel';

/** How long things have been so, on the monotonic clock: setting the machine's clock makes nothing due. */
export class Stopwatches {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #since = new Map<string, number>();
  #seen = new Map<string, number>();

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  /** Ms since this was asked of the key first; it begins anew after a round in which it was not asked. */
  elapsedMs(key: string): number {
    const nowMs = this.#clock.monotonicMs();
    const sinceMs = this.#since.get(key) ?? this.#seen.get(key) ?? nowMs;
    this.#seen.set(key, sinceMs);
    return nowMs - sinceMs;
  }

  /** Ends a round. */
  next(): void {
    this.#since = this.#seen;
    this.#seen = new Map();
  }
}
