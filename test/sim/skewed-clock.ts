import type { Clock, Timer } from '@clawbernetes/kernel';

/** The clock of one machine: its wall time is off by so much, its durations are right. */
export class SkewedClock implements Clock {
  readonly #clock: Clock;
  skewMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  nowMs(): number {
    return this.#clock.nowMs() + this.skewMs;
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }

  after(delayMs: number, callback: () => void): Timer {
    return this.#clock.after(delayMs, callback);
  }
}
