import type { Clock, Timer } from '@clawbernetes/kernel';

/** A clock that stands until it is told to run. */
export class HandClock implements Clock {
  #nowMs = 0;
  #timers: { readonly atMs: number; readonly callback: () => void }[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    const timer = { atMs: this.#nowMs + delayMs, callback };
    this.#timers.push(timer);
    return { cancel: () => (this.#timers = this.#timers.filter((other) => other !== timer)) };
  }

  /** Fires timers in their order until `promise` settles. */
  async runUntil<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settle = (): boolean => (isSettled = true);
    promise.then(settle, settle);
    for (let step = 0; step < 10_000; step += 1) {
      await this.settle();
      if (isSettled) return promise;
      this.#fireNext();
    }
    throw new Error('the promise did not settle');
  }

  /** Lets everything happen that needs no time. */
  async settle(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
  }

  #fireNext(): void {
    const [next, ...others] = this.#timers.toSorted((left, right) => left.atMs - right.atMs);
    if (!next) return;
    this.#timers = others;
    this.#nowMs = next.atMs;
    next.callback();
  }
}
