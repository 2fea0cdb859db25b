import {
  obstacles,
  spanOf,
  type CapacityTimeline,
  type EndBound,
  type Reservation,
  type TimedWork,
} from './reservation.ts';

export interface BackfillLimits {
  /** So many blocked workloads get a reservation. */
  readonly reservations: number;
  /** Nothing is planned to start later than this from now. */
  readonly windowMs: number;
  /** Starts in the future lie on whole steps from now. */
  readonly resolutionMs: number;
  /** Questions to the timeline in one pass. */
  readonly tests: number;
}

export const DEFAULT_BACKFILL_LIMITS: BackfillLimits = {
  reservations: 4,
  windowMs: 24 * 3_600_000,
  resolutionMs: 60_000,
  tests: 500,
};

export interface PlannedStart {
  readonly domainId: string;
  readonly startMs: number;
}

/** Questions to a timeline, counted. Once they are used up it answers 0: nothing fits, nothing is delayed. */
export class BackfillTests<W extends TimedWork> {
  readonly #timeline: CapacityTimeline<W>;
  readonly #limit: number;
  used = 0;
  exhausted = false;

  constructor(timeline: CapacityTimeline<W>, limit: number) {
    this.#timeline = timeline;
    this.#limit = limit;
  }

  fits(...[domainId, work, ...rest]: Parameters<CapacityTimeline<W>['members']>): boolean {
    if (this.used >= this.#limit) this.exhausted = true;
    if (this.exhausted) return false;
    this.used += 1;
    return this.#timeline.members(domainId, work, ...rest) >= work.members;
  }

  endsMs(domainId: string, ends: EndBound): readonly number[] {
    return this.#timeline.endsMs(domainId, ends);
  }
}

interface StartQuestion<W extends TimedWork> {
  readonly work: W;
  /** Where it may run as a whole, most wanted first. */
  readonly domainIds: readonly string[];
  readonly reserved: readonly Reservation<W>[];
  readonly ends: EndBound;
  readonly nowMs: number;
  readonly limits: BackfillLimits;
}

/**
 * The first moment, now or a whole number of steps later, at which it fits for as long as it may run; the
 * first such domain. Undefined if there is none within the window, or the tests are used up.
 *
 * Capacity grows only when something ends. So a start that cannot be moved forward by a step lies at an end,
 * rounded up, and only those need a test.
 */
export function earliestStart<W extends TimedWork>(
  tests: BackfillTests<W>,
  question: StartQuestion<W>,
): PlannedStart | undefined {
  const { work, domainIds, ends } = question;
  const reserved = obstacles(question.reserved, work);
  const moments = domainIds
    .flatMap((domainId) =>
      momentsIn(tests, domainId, reserved, question).map((startMs) => ({ domainId, startMs })),
    )
    // A stable sort: of the same moment, the domains keep their order.
    .toSorted((one, other) => one.startMs - other.startMs);
  return moments.find(({ domainId, startMs }) =>
    tests.fits(domainId, work, spanOf(work, startMs), reserved, ends),
  );
}

function momentsIn<W extends TimedWork>(
  tests: BackfillTests<W>,
  domainId: string,
  reserved: readonly Reservation<W>[],
  { ends, nowMs, limits }: StartQuestion<W>,
): readonly number[] {
  const { resolutionMs, windowMs } = limits;
  const endings = [...tests.endsMs(domainId, ends), ...reserved.map(({ toMs }) => toMs)];
  const moments = endings
    .filter((endMs) => endMs > nowMs && endMs <= nowMs + windowMs)
    .map((endMs) => nowMs + Math.ceil((endMs - nowMs) / resolutionMs) * resolutionMs)
    .filter((startMs) => startMs <= nowMs + windowMs);
  return [...new Set([nowMs, ...moments])];
}
