import type { AttemptRecord } from '../records.ts';

/** How an attempt ended, in a few words. */
export function describeEnd(attempt: AttemptRecord): string {
  const why = attempt.endReason === undefined ? '' : ` (${attempt.endReason})`;
  if (attempt.state === 'lost') return (attempt.message ?? 'its node lost it').replace(/\.$/, '');
  if (attempt.exitCode !== undefined) return `exit code ${attempt.exitCode}${why}`;
  return attempt.signal === undefined ? `ended${why}` : `killed by ${attempt.signal}${why}`;
}
