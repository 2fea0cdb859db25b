import { CodedError } from '@clawbernetes/kernel';

const POLL_MS = 5;

/**
 * Waits until `condition` holds, looking every few ms; throws after `deadlineMs` with what was waited for.
 */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  deadlineMs = 10_000,
): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > deadline) {
      throw new CodedError(`Waited ${deadlineMs} ms in vain until ${what}.`, { code: 'timeout' });
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
