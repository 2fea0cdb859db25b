import { formatDuration, parseDurationMs } from '@clawbernetes/kernel';
import { apiError, type ReservationRequest } from '@clawbernetes/protocol';

/** Nobody plans further ahead, ms. */
const HORIZON_MS = 366 * 86_400_000;
const MIN_LENGTH_MS = 1000;
/** A start that lies back no more than this was meant to be now: it took so long to be typed and sent. */
const LATE_MS = 60_000;
const PART = /\d+(?:\.\d+)?[smhd]/g;

/** When a reservation begins and ends, by this clock. @throws CodedError `invalid-input`. */
export function reservationTimes(
  { start, end, durationMs }: Pick<ReservationRequest, 'start' | 'end' | 'durationMs'>,
  nowMs: number,
): { readonly startMs: number; readonly endMs: number } {
  if ((end === undefined) === (durationMs === undefined))
    throw wrong('end', 'Say when it ends or how long it lasts: one of --end and --duration.');
  const askedMs = momentMs(start, nowMs);
  if (askedMs < nowMs - LATE_MS)
    throw wrong(
      'start',
      `The start lies back by ${formatDuration(nowMs - askedMs)}; for one at once write now.`,
    );
  const startMs = Math.max(askedMs, nowMs);
  const endMs = durationMs === undefined ? momentMs(end ?? start, nowMs) : startMs + durationMs;
  if (endMs - startMs < MIN_LENGTH_MS)
    throw wrong(
      'end',
      `It ends ${endMs <= startMs ? 'before it begins' : 'too soon'}; it lasts a second at least.`,
    );
  if (endMs > nowMs + HORIZON_MS)
    throw wrong('end', 'It ends in more than a year; nothing is reserved so far ahead.');
  return { startMs, endMs };
}

function momentMs(text: string, nowMs: number): number {
  if (text === 'now') return nowMs;
  if (!text.startsWith('+')) return Date.parse(text);
  const parts = text.match(PART) ?? [];
  return nowMs + parts.reduce((sum, part) => sum + parseDurationMs(part), 0);
}

function wrong(path: string, message: string): Error {
  return apiError('invalid-input', message, { issues: [{ path, message }] });
}
