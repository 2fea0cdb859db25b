/** What is remembered of a GPU's memory between two readings. */
export interface GpuMemory {
  /** Least that was in use while nobody held it, MiB; undefined = never seen so. */
  readonly idleMib?: number;
  /** Work held it at the reading before, or has not given its memory back since. */
  readonly wasHeld: boolean;
  /** Since when it should be empty and is not, on the monotonic clock. */
  readonly cleaningSinceMs?: number;
}

export interface MemoryReading {
  readonly usedMib: number;
  readonly held: boolean;
  readonly nowMs: number;
}

/** What the driver keeps for itself on a GPU that was never seen idle, and what may come on top, MiB. */
const DRIVER_MIB = 1024;
const SLACK_MIB = 512;
/** Memory that is not back after so long will not come back by itself, ms. */
const MAX_CLEANING_MS = 600_000;

/**
 * After its work a GPU is in use → cleaning while a reading shows that its memory is not back, then free: a
 * leaked process would take it from the next. Only a reading begins it, so that reuse costs no wait.
 */
export function afterReading(
  before: GpuMemory | undefined,
  { usedMib, held, nowMs }: MemoryReading,
): GpuMemory {
  const { idleMib, wasHeld = false, cleaningSinceMs = nowMs } = before ?? {};
  const idle = idleMib === undefined ? {} : { idleMib };
  if (held) return { ...idle, wasHeld: true };
  const isBack = usedMib <= (idleMib ?? DRIVER_MIB) + SLACK_MIB;
  if (wasHeld && !isBack) return { ...idle, wasHeld: true, cleaningSinceMs };
  return { idleMib: Math.min(idleMib ?? usedMib, usedMib), wasHeld: false };
}

/** It waits for its memory in vain. */
export function isStuck({ cleaningSinceMs }: GpuMemory, nowMs: number): boolean {
  return cleaningSinceMs !== undefined && nowMs - cleaningSinceMs >= MAX_CLEANING_MS;
}
