/**
 * Every wait here ends with this at the latest: far above what a busy machine needs, so that only a fault
 * reaches it.
 */
const DEADLINE_MS = 50_000;
const POLL_MS = 20;

/** Waits until `condition` holds, and throws with what was waited for when it does not come about. */
export async function until(
  what: string | (() => string),
  condition: () => boolean | Promise<boolean>,
  deadlineMs = DEADLINE_MS,
): Promise<void> {
  const endMs = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > endMs) {
      throw new Error(`Waited ${deadlineMs} ms in vain until ${typeof what === 'string' ? what : what()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
