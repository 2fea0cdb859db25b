import { sleep, type Clock } from './clock.ts';
import type { Random } from './random.ts';

export interface BackoffOptions {
  readonly firstMs: number;
  readonly maxMs: number;
}

/**
 * Delay before attempt `attempt` (0 = first retry): exponential growth with full jitter, so that many clients
 * that lost the same peer do not return together. At least a tenth of the ceiling, so that it is never a busy
 * loop.
 */
export function backoffMs(attempt: number, { firstMs, maxMs }: BackoffOptions, random: Random): number {
  const ceiling = Math.min(maxMs, firstMs * 2 ** Math.min(attempt, 30));
  return ceiling * (0.1 + 0.9 * random.fraction());
}

export interface RetryOptions extends BackoffOptions {
  readonly attempts: number;
  /** Whether this failure is worth another try; default: always. */
  readonly retryable?: (error: unknown) => boolean;
  readonly signal?: AbortSignal;
}

/** Runs `work` up to `attempts` times; throws the last error. */
export async function retry<T>(
  { clock, random }: { readonly clock: Clock; readonly random: Random },
  options: RetryOptions,
  work: (attempt: number) => Promise<T>,
): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await work(attempt);
    } catch (error) {
      const last = attempt + 1 >= options.attempts || options.retryable?.(error) === false;
      if (last || options.signal?.aborted) throw error;
    }
    await sleep(clock, backoffMs(attempt, options, random), options.signal ? { signal: options.signal } : {});
  }
}
