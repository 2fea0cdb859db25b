import type { Clock } from '@clawbernetes/kernel';

/**
 * Tells waiting requests that something about a key has changed. A wake-up says only "look again": nothing is
 * lost if it comes early, and a waiter that looks before it waits misses none.
 */
export class Changes {
  readonly #clock: Clock;
  readonly #waiters = new Map<string, Set<() => void>>();
  #size = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Waits under way. */
  get size(): number {
    return this.#size;
  }

  notify(key: string): void {
    for (const wake of [...(this.#waiters.get(key) ?? [])]) wake();
  }

  notifyAll(): void {
    for (const key of [...this.#waiters.keys()]) this.notify(key);
  }

  /** Resolves at the next change of one of `keys`, after `timeoutMs`, or when `signal` aborts. */
  next(keys: readonly string[], timeoutMs: number, { signal }: { signal?: AbortSignal } = {}): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        timer.cancel();
        signal?.removeEventListener('abort', wake);
        for (const key of keys) this.#remove(key, wake);
        this.#size -= 1;
        resolve();
      };
      const timer = this.#clock.after(timeoutMs, wake);
      signal?.addEventListener('abort', wake, { once: true });
      for (const key of keys) this.#add(key, wake);
      this.#size += 1;
    });
  }

  #add(key: string, wake: () => void): void {
    const waiters = this.#waiters.get(key) ?? new Set();
    this.#waiters.set(key, waiters);
    waiters.add(wake);
  }

  #remove(key: string, wake: () => void): void {
    const waiters = this.#waiters.get(key);
    waiters?.delete(wake);
    if (waiters?.size === 0) this.#waiters.delete(key);
  }
}
