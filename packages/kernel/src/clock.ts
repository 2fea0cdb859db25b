import { CodedError } from './coded-error.ts';

export interface Timer {
  cancel(): void;
}

/**
 * Time as a dependency, so that a simulator can own it. `nowMs` is wall time (it may jump); `monotonicMs`
 * only rises and is for durations, leases and deadlines.
 */
export interface Clock {
  nowMs(): number;
  monotonicMs(): number;
  /** Calls `callback` once, after at least `delayMs`. */
  after(delayMs: number, callback: () => void): Timer;
}

/** The machine's clock. Timers keep the process alive until they fire or are cancelled. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, callback) {
    const handle = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
};

/** Resolves after `delayMs`; rejects with code `aborted` as soon as `signal` aborts. */
export function sleep(
  clock: Clock,
  delayMs: number,
  { signal }: { signal?: AbortSignal } = {},
): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      timer.cancel();
      reject(new CodedError('The wait was aborted.', { code: 'aborted' }));
    };
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', abort);
      resolve();
    });
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort, { once: true });
  });
}

/** `promise`, or a CodedError with code `timeout` and `message` once `timeoutMs` have passed. */
export async function withTimeout<T>(
  clock: Clock,
  timeoutMs: number,
  message: string,
  promise: Promise<T>,
): Promise<T> {
  const { promise: expired, reject } = Promise.withResolvers<never>();
  const timer = clock.after(timeoutMs, () => reject(new CodedError(message, { code: 'timeout' })));
  try {
    return await Promise.race([promise, expired]);
  } finally {
    timer.cancel();
  }
}

/** Calls `tick` every `periodMs` until cancelled; a tick that throws ends the process, so it must not. */
export function every(clock: Clock, periodMs: number, tick: () => void): Timer {
  let timer = clock.after(periodMs, run);
  function run(): void {
    timer = clock.after(periodMs, run);
    tick();
  }
  return { cancel: () => timer.cancel() };
}
