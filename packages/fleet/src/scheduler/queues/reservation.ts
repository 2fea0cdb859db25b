/**
 * Members of one workload, as a capacity timeline understands them; the rest of its shape is the timeline's.
 */
export interface TimedWork {
  readonly id: string;
  readonly queue: string;
  /** They start together or not at all. */
  readonly members: number;
  /** It is stopped after this long; absent: it may run for ever. */
  readonly maxRuntimeMs?: number;
}

/** From `fromMs` on, until just before `toMs`; Infinity has no end. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** A part of a domain that is somebody's for a while. */
export interface Reservation<W extends TimedWork = TimedWork> extends Span {
  readonly id: string;
  /**
   * `calendar`: set by people, for maintenance, a team or a launch. `blocked`: for the next work of a queue,
   * made anew in each pass. `started`: taken by work that this pass lets start.
   */
  readonly kind: 'calendar' | 'blocked' | 'started';
  /** A queue or a workload, for which it is no obstacle; absent: nobody's, as for maintenance. */
  readonly owner?: string;
  readonly domainId: string;
  /** What is held: the places of this work's members, or absent: all of the domain. */
  readonly work?: W;
}

/**
 * When running work ends: at the earliest, as far as one can hope; at the latest, Infinity where nobody said.
 */
export interface EndEstimate {
  readonly earliestMs: number;
  readonly latestMs: number;
}

/** Which end of running work to count with. */
export type EndBound = keyof EndEstimate;

/**
 * How much fits where and when. The fleet's own topology lies behind it: domains may contain each other, and
 * a reservation of one takes its part of all that it overlaps.
 */
export interface CapacityTimeline<W extends TimedWork = TimedWork> {
  /**
   * How many members of the work fit in the domain so that each keeps its place during the whole span, beside
   * running work until its end and beside what is reserved. Not fewer by the earliest ends than by the
   * latest.
   */
  members(domainId: string, work: W, span: Span, reserved: readonly Reservation<W>[], ends: EndBound): number;
  /** When running work in the domain ends: nothing else but the end of a reservation ever adds capacity. */
  endsMs(domainId: string, ends: EndBound): readonly number[];
}

/** By what was declared: it can end at any moment, and is stopped at its limit. */
export function endEstimate(
  run: { readonly startedMs: number; readonly maxRuntimeMs?: number },
  nowMs: number,
): EndEstimate {
  const latestMs = run.maxRuntimeMs === undefined ? Infinity : run.startedMs + run.maxRuntimeMs;
  // What should have ended already is about to.
  return { earliestMs: nowMs, latestMs: Math.max(nowMs, latestMs) };
}

export function spanOf({ maxRuntimeMs = Infinity }: TimedWork, fromMs: number): Span {
  return { fromMs, toMs: fromMs + maxRuntimeMs };
}

/** Reservations that stand in the way of the work, not being its own or its queue's. */
export function obstacles<W extends TimedWork>(
  reserved: readonly Reservation<W>[],
  work: TimedWork,
): readonly Reservation<W>[] {
  return reserved.filter(({ owner }) => owner !== work.id && owner !== work.queue);
}
