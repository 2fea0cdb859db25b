import type { Clock, Timer } from '@clawbernetes/kernel';

/** Node's timers fire at once when asked for more than 2^31 - 1 ms (24.8 days). */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** A timer of any length. */
export function afterLong(clock: Clock, delayMs: number, callback: () => void): Timer {
  let restMs = delayMs;
  let timer = next();
  function next(): Timer {
    const stepMs = Math.min(restMs, MAX_TIMER_MS);
    restMs -= stepMs;
    return clock.after(stepMs, () => {
      if (restMs <= 0) callback();
      else timer = next();
    });
  }
  return { cancel: () => timer.cancel() };
}
