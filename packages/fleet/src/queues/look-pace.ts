import type { Clock } from '@clawbernetes/kernel';

/** Looks take at most one part in so many of the time, however much waits. */
export const TIME_SHARE = 20;

/** Says when a look that is made again and again may begin: the later, the longer it took before. */
export class LookPace {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #startMs = 0;
  #nextMs = -Infinity;

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  /** Whether it may begin now; then it has begun. */
  begin(): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#nextMs) return false;
    this.#startMs = nowMs;
    return true;
  }

  /** @param everyMs the least from one beginning to the next. */
  end(everyMs: number): void {
    const tookMs = this.#clock.monotonicMs() - this.#startMs;
    this.#nextMs = this.#startMs + Math.max(everyMs, TIME_SHARE * tookMs);
  }
}
