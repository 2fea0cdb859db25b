import { assert } from '../assert.ts';
import type { Clock, Timer } from '../clock.ts';

export interface VirtualClockOptions {
  /** Wall time at the start, ms since 1970. */
  readonly startMs: number;
}

const DEFAULTS: VirtualClockOptions = { startMs: Date.UTC(2026, 0, 1) };

/** Timers fired at one instant before the clock concludes that its users spin without letting time pass. */
const MAX_TIMERS_PER_INSTANT = 100_000;

interface PendingTimer {
  readonly dueMs: number;
  readonly callback: () => void;
  cancelled: boolean;
}

/**
 * A clock that stands still until it is told to move. Timers fire in order of their due time, those of one
 * instant in the order they were set, so a run with the same calls is the same run.
 */
export class VirtualClock implements Clock {
  #wallOffsetMs: number;
  #monotonicMs = 0;
  /** Ordered by due time, then by age. */
  #timers: PendingTimer[] = [];

  constructor({ startMs }: VirtualClockOptions = DEFAULTS) {
    this.#wallOffsetMs = startMs;
  }

  nowMs(): number {
    return Math.floor(this.#wallOffsetMs + this.#monotonicMs);
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    const timer: PendingTimer = {
      dueMs: this.#monotonicMs + Math.max(0, delayMs),
      callback,
      cancelled: false,
    };
    this.#timers.splice(this.#indexAfter(timer.dueMs), 0, timer);
    return {
      cancel: () => {
        timer.cancelled = true;
      },
    };
  }

  /** When the next timer is due, on the monotonic clock; undefined if none is set. */
  get nextDueMs(): number | undefined {
    this.#dropCancelled();
    return this.#timers[0]?.dueMs;
  }

  /**
   * Moves to the next timer and fires it; answers false if none is set. Promises settle after the caller
   * awaits.
   */
  fireNext(): boolean {
    this.#dropCancelled();
    const timer = this.#timers.shift();
    if (!timer) return false;
    this.#monotonicMs = timer.dueMs;
    timer.callback();
    return true;
  }

  /**
   * Lets `ms` pass: fires what is due in order, and lets the promises of each timer settle before the next.
   */
  async advance(ms: number): Promise<void> {
    const endMs = this.#monotonicMs + ms;
    await settlePromises();
    for (let atInstant = 0; (this.nextDueMs ?? Infinity) <= endMs;) {
      atInstant = this.nextDueMs === this.#monotonicMs ? atInstant + 1 : 0;
      assert(atInstant < MAX_TIMERS_PER_INSTANT, 'virtual time passes between timers');
      this.fireNext();
      await settlePromises();
    }
    this.#monotonicMs = endMs;
  }

  /** Moves wall time alone, as an operator or a time server does; durations and timers do not notice. */
  jumpWallTime(ms: number): void {
    this.#wallOffsetMs += ms;
  }

  #dropCancelled(): void {
    const live = this.#timers.findIndex(({ cancelled }) => !cancelled);
    this.#timers.splice(0, live < 0 ? this.#timers.length : live);
  }

  /** Where a timer due at `dueMs` goes: behind those due earlier or at the same time. */
  #indexAfter(dueMs: number): number {
    let low = 0;
    let high = this.#timers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#timers[middle]?.dueMs ?? Infinity) <= dueMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Resolves when every promise that can settle without time or I/O has done so. */
function settlePromises(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
