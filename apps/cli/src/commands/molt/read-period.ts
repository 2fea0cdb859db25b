import { parseDurationMs } from '@clawbernetes/kernel';
import { invalidArguments } from '../../errors.ts';

export interface PeriodOptions {
  readonly since?: string;
  readonly until?: string;
  readonly year?: number;
}

/** A time that is asked about; both ends may be open. */
export interface Period {
  readonly fromMs?: number;
  readonly toMs?: number;
}

const DATE = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?Z)?$/;

/** Dates are of UTC. @throws CodedError `invalid-arguments`. */
export function readPeriod({ since, until, year }: PeriodOptions, nowMs: number): Period {
  if (year !== undefined) {
    if (since !== undefined || until !== undefined)
      throw invalidArguments('Name a year, or --since and --until, not both.');
    return { fromMs: Date.UTC(year, 0), toMs: Date.UTC(year + 1, 0) };
  }
  return {
    ...(since !== undefined && { fromMs: readTime(since, nowMs) }),
    ...(until !== undefined && { toMs: readTime(until, nowMs) }),
  };
}

/** ms since 1970 of a date, or of so long ago. */
function readTime(text: string, nowMs: number): number {
  const atMs = DATE.test(text) ? Date.parse(text) : NaN;
  // 2026-02-30 would be taken for a day in March.
  if (!Number.isNaN(atMs) && new Date(atMs).toISOString().startsWith(text.slice(0, 10))) return atMs;
  try {
    return Math.max(0, nowMs - parseDurationMs(text));
  } catch {
    const message = `"${text.slice(0, 40)}" is no time. Write a date such as 2026-01-31, or how long ago, such as 7d.`;
    throw invalidArguments(message);
  }
}
