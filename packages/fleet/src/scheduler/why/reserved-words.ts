import type { ReservedSpan } from '../snapshot.ts';

/** `2026-03-29 06:00:00Z`: a moment for people wherever they are. */
export function formatTime(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 19).replace('T', ' ')}Z`;
}

/** `reservation maint until 2026-03-29 06:00:00Z`; who may use it waits for its start only. */
export function spanText({ name, startMs, untilMs }: ReservedSpan): string {
  return untilMs === startMs
    ? `reservation ${name}, which begins at ${formatTime(startMs)}`
    : `reservation ${name} until ${formatTime(untilMs)}`;
}
