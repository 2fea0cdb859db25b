import { BackfillTests, earliestStart, type BackfillLimits, type PlannedStart } from './earliest-start.ts';
import {
  obstacles,
  spanOf,
  type CapacityTimeline,
  type Reservation,
  type Span,
  type TimedWork,
} from './reservation.ts';

/** Work that waits, with where it may run. */
export interface BackfillWork<W extends TimedWork> {
  readonly work: W;
  /** Domains that may each take it whole, most wanted first. */
  readonly domainIds: readonly string[];
  readonly preemptible: boolean;
  /** Preemptible work is left alone this long once it runs. */
  readonly minRuntimeMs: number;
}

export interface BackfillInput<W extends TimedWork> {
  readonly nowMs: number;
  readonly timeline: CapacityTimeline<W>;
  /** Reservations that people made. */
  readonly calendar: readonly Reservation<W>[];
  /** What could not be placed, in the order in which it is to be served. */
  readonly waiting: readonly BackfillWork<W>[];
  readonly limits: BackfillLimits;
}

/**
 * When it is expected to start: at `earliestMs` if running work ends as early as it can, at `latestMs` if it
 * ends at its limits and nothing comes before it in its queue. Absent: not within the window, or not looked
 * for.
 */
export interface StartEstimate {
  readonly workId: string;
  readonly earliestMs?: number;
  readonly latestMs?: number;
}

export interface BackfillStart {
  readonly workId: string;
  readonly domainId: string;
  /**
   * Set where it can only start because it may be evicted: it has to be gone by then, if the place is wanted.
   */
  readonly yieldsAtMs?: number;
}

export interface BackfillPlan<W extends TimedWork> {
  readonly reservations: readonly Reservation<W>[];
  readonly estimates: readonly StartEstimate[];
  readonly starts: readonly BackfillStart[];
  /** The tests ran out: what is missing here was not looked at. */
  readonly exhausted: boolean;
}

/**
 * EASY backfilling (Lifka, 1995) over domains: the first few that are blocked get the earliest domain and
 * time that running work's limits promise; whatever waits behind them may start now if it ends before, needs
 * only what is not held, or can be evicted in time. No start delays a reservation.
 */
export function planBackfill<W extends TimedWork>(input: BackfillInput<W>): BackfillPlan<W> {
  const pass = new BackfillPass(input);
  const { reservations: first } = input.limits;
  for (const work of input.waiting.slice(0, first)) pass.reserve(work);
  for (const work of input.waiting.slice(first)) pass.tryNow(work);
  return pass.plan();
}

class BackfillPass<W extends TimedWork> {
  readonly #input: BackfillInput<W>;
  readonly #tests: BackfillTests<W>;
  readonly #reserved: Reservation<W>[];
  readonly #estimates: StartEstimate[] = [];
  readonly #starts: BackfillStart[] = [];

  constructor(input: BackfillInput<W>) {
    this.#input = input;
    this.#tests = new BackfillTests(input.timeline, input.limits.tests);
    this.#reserved = [...input.calendar];
  }

  plan(): BackfillPlan<W> {
    return {
      reservations: this.#reserved.filter(({ kind }) => kind === 'blocked'),
      estimates: this.#estimates,
      starts: this.#starts,
      exhausted: this.#tests.exhausted,
    };
  }

  /**
   * Starts it if it can run now, which a calendar reservation may have kept it from; else holds its place.
   */
  reserve(waiting: BackfillWork<W>): void {
    if (this.tryNow(waiting)) return;
    const promised = this.#earliest(waiting, 'latestMs');
    const hoped = this.#earliest(waiting, 'earliestMs');
    this.#estimates.push({
      workId: waiting.work.id,
      ...(hoped ? { earliestMs: hoped.startMs } : {}),
      ...(promised ? { latestMs: promised.startMs } : {}),
    });
    if (promised)
      this.#hold('blocked', waiting.work, promised.domainId, spanOf(waiting.work, promised.startMs));
  }

  tryNow(waiting: BackfillWork<W>): boolean {
    const { work, domainIds } = waiting;
    const inWay = obstacles(this.#reserved, work);
    const span = spanOf(work, this.#input.nowMs);
    const free = domainIds.find((domainId) => this.#tests.fits(domainId, work, span, inWay, 'latestMs'));
    if (free === undefined) return waiting.preemptible && this.#tryUntilWanted(waiting, inWay);
    this.#starts.push({ workId: work.id, domainId: free });
    this.#hold('started', work, free, span);
    return true;
  }

  /** In the longest gap before reservations that is no shorter than its minimal runtime. */
  #tryUntilWanted(waiting: BackfillWork<W>, inWay: readonly Reservation<W>[]): boolean {
    const { work, domainIds, minRuntimeMs } = waiting;
    const { nowMs } = this.#input;
    const comingMs = [...new Set(inWay.map(({ fromMs }) => fromMs))]
      .filter((fromMs) => fromMs > nowMs && fromMs - nowMs >= minRuntimeMs)
      .toSorted((one, other) => other - one);
    for (const toMs of comingMs) {
      const gap = { fromMs: nowMs, toMs };
      const domainId = domainIds.find((id) => this.#tests.fits(id, work, gap, inWay, 'latestMs'));
      if (domainId === undefined) continue;
      this.#starts.push({ workId: work.id, domainId, yieldsAtMs: toMs });
      this.#hold('started', work, domainId, gap);
      return true;
    }
    return false;
  }

  #earliest({ work, domainIds }: BackfillWork<W>, ends: 'earliestMs' | 'latestMs'): PlannedStart | undefined {
    const { nowMs, limits } = this.#input;
    return earliestStart(this.#tests, { work, domainIds, reserved: this.#reserved, ends, nowMs, limits });
  }

  #hold(kind: 'blocked' | 'started', work: W, domainId: string, span: Span): void {
    this.#reserved.push({ id: work.id, kind, owner: work.id, domainId, work, ...span });
  }
}
