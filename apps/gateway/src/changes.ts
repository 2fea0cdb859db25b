import type { Clock } from '@clawbernetes/kernel';

/**
 * Tells waiting requests that something about a key has changed. A wake-up says only "look again": nothing is lost if
 * it comes early, and a waiter that looks before it waits misses none.
 */
export class Changes {
  readonly #clock: Clock;
  readonly #waiters = new Map<string, Set<() => void>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#waiters.size;
  }

  notify(key: string): void {
    const waiters = this.#waiters.get(key);
    if (!waiters) return;
    this.#waiters.delete(key);
    for (const wake of waiters) wake();
  }

  notifyAll(): void {
    for (const key of this.#waiters.keys()) this.notify(key);
  }

  /** Resolves at the next change of `key`, after `timeoutMs`, or when `signal` aborts. */
  next(key: string, timeoutMs: number, { signal }: { signal?: AbortSignal } = {}): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const waiters = this.#waiters.get(key) ?? new Set();
      this.#waiters.set(key, waiters);
      const wake = (): void => {
        timer.cancel();
        signal?.removeEventListener('abort', wake);
        waiters.delete(wake);
        if (waiters.size === 0 && this.#waiters.get(key) === waiters) this.#waiters.delete(key);
        resolve();
      };
      const timer = this.#clock.after(timeoutMs, wake);
      signal?.addEventListener('abort', wake, { once: true });
      waiters.add(wake);
    });
  }
}
