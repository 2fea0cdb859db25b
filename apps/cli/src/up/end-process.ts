import { sleep, type Clock } from '@clawbernetes/kernel';
import { isAlive, type ProcessMark } from './process-mark.ts';

const LOOK_EVERY_MS = 50;

/** Sends a signal and waits; answers whether the process is gone. */
export async function endProcess(
  clock: Clock,
  mark: ProcessMark,
  {
    signal,
    withinMs,
    force,
  }: { readonly signal: NodeJS.Signals; readonly withinMs: number; readonly force?: AbortSignal },
): Promise<boolean> {
  if (!isAlive(mark)) return true;
  process.kill(mark.pid, signal);
  const endMs = clock.monotonicMs() + withinMs;
  while (isAlive(mark)) {
    if (clock.monotonicMs() > endMs || force?.aborted) return false;
    await sleep(clock, LOOK_EVERY_MS);
  }
  return true;
}
