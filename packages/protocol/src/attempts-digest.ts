import type { Epoch } from './epoch.ts';

/**
 * What both ends hash (SHA-256) to compare the attempts that a node holds with those that its gateway expects
 * there: one line `<attempt id> <term>.<counter>` per attempt that the gateway has not told the node to
 * forget, in id order.
 */
export function attemptsDigestText(
  attempts: Iterable<{ readonly attemptId: string; readonly epoch: Epoch }>,
): string {
  return Array.from(attempts, ({ attemptId, epoch }) => `${attemptId} ${epoch.term}.${epoch.counter}\n`)
    .toSorted()
    .join('');
}
