import { backoffMs, sleep, type Clock, type Random } from '@clawbernetes/kernel';
import { retryAfterMs, wasIdle } from './errors.ts';

export interface PatienceOptions {
  /** How long to go on trying from the first failure in a row, ms; asked at each failure. */
  readonly patienceMs: () => number;
  readonly signal?: AbortSignal | undefined;
}

const BACKOFF = { firstMs: 100, maxMs: 2000 } as const;

/** Says how long to wait after a failure, and when to give up. */
export class Patience {
  readonly #deps: { readonly clock: Clock; readonly random: Random };
  readonly #options: PatienceOptions;
  #failures = 0;
  #failingSinceMs = 0;

  constructor(deps: { readonly clock: Clock; readonly random: Random }, options: PatienceOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  succeeded(): void {
    this.#failures = 0;
  }

  /** Waits until it is time to try again. @throws `error` when patience has run out. */
  async afterFailure(error: unknown): Promise<void> {
    const { clock, random } = this.#deps;
    const { patienceMs, signal } = this.#options;
    if (wasIdle(error)) this.#failures = 0;
    if (this.#failures === 0) this.#failingSinceMs = clock.monotonicMs();
    const delayMs = Math.max(retryAfterMs(error), backoffMs(this.#failures, BACKOFF, random));
    if (clock.monotonicMs() + delayMs - this.#failingSinceMs > patienceMs()) throw error;
    this.#failures += 1;
    await sleep(clock, delayMs, signal ? { signal } : {});
  }
}
