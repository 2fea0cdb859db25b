import { every, type Clock, type Timer } from '@clawbernetes/kernel';

const LOOK_MS = 5000;
/** Of CPU time between two looks: below it, nobody waits for the few milliseconds that a collection takes. */
const IDLE_MS = 250;
/** Bytes of buffers from which a collection pays; at rest they hold a tenth of it. */
const WORTH_BYTES = 2 * 1024 * 1024;

export interface IdleCollectionDeps {
  readonly clock: Clock;
  /** Does nothing without `--expose-gc`. */
  readonly collect: () => void;
  /** CPU time of this process so far, ms. */
  readonly cpuMs: () => number;
  readonly bufferBytes: () => number;
}

/**
 * Gives back what buffers held once a flood of output is over: V8 frees them when it collects, and an idle
 * process never does (27 MiB stayed for good).
 */
export function collectWhenIdle({ clock, collect, cpuMs, bufferBytes }: IdleCollectionDeps): Timer {
  let beforeMs = cpuMs();
  return every(clock, LOOK_MS, () => {
    const nowMs = cpuMs();
    const isIdle = nowMs - beforeMs < IDLE_MS;
    beforeMs = nowMs;
    if (isIdle && bufferBytes() > WORTH_BYTES) collect();
  });
}

/** Of this process. */
export const PROCESS_MEMORY: Omit<IdleCollectionDeps, 'clock'> = {
  collect: () => globalThis.gc?.(),
  cpuMs: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
  bufferBytes: () => process.memoryUsage().arrayBuffers,
};
