const CALM_MS = 3;
const CALM_LAPS = 300;

/**
 * Measures what the event loop does between two laps: the longest time for which nothing else, such as the
 * answer to a status read, could be done. In processor time of this thread, so that other work on the machine
 * does not count; garbage collection in this thread does.
 */
export class LoopWatch implements Disposable {
  #longestMs = 0;
  #lastMs = threadMs();
  /** Since when no lap took longer than `CALM_MS`. */
  #calmSinceMs = performance.now();
  #calmLaps = 0;
  #next: NodeJS.Immediate | undefined;

  constructor() {
    this.#lap();
  }

  [Symbol.dispose](): void {
    clearImmediate(this.#next);
  }

  /** The longest since the last call, ms. */
  take(): number {
    const longestMs = this.#longestMs;
    this.#longestMs = 0;
    return longestMs;
  }

  /** Resolves once nothing worth mentioning has been done for `forMs`, at most after `atMostMs`. */
  async calm(forMs: number, atMostMs: number): Promise<void> {
    const startMs = performance.now();
    this.#calmSinceMs = startMs;
    this.#calmLaps = 0;
    for (;;) {
      const nowMs = performance.now();
      // On a busy machine much time passes without a lap.
      const isCalm = this.#calmLaps >= CALM_LAPS && nowMs - this.#calmSinceMs >= forMs;
      if (isCalm || nowMs - startMs >= atMostMs) return;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #lap(): void {
    const nowMs = threadMs();
    const tookMs = nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    this.#calmLaps += 1;
    if (tookMs > CALM_MS) {
      this.#calmSinceMs = performance.now();
      this.#calmLaps = 0;
    }
    this.#longestMs = Math.max(this.#longestMs, tookMs);
    this.#next = setImmediate(() => this.#lap());
  }
}

function threadMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
