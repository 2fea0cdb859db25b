import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 10;

/** Polls until `look` answers something, and fails with `what` after the deadline. */
export async function waitUntil<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  deadlineMs = 10_000,
): Promise<T> {
  for (const end = performance.now() + deadlineMs; ;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > end) throw new Error(`Waited ${deadlineMs} ms in vain: ${what}`);
    await delay(POLL_MS);
  }
}
