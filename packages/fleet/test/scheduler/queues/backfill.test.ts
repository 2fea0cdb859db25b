// Shows that backfilling delays no reservation, that starts are the earliest there are, and estimates honest.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  planBackfill,
  type BackfillPlan,
  type BackfillWork,
} from '../../../src/scheduler/queues/backfill.ts';
import {
  BackfillTests,
  DEFAULT_BACKFILL_LIMITS,
  earliestStart,
  type BackfillLimits,
} from '../../../src/scheduler/queues/earliest-start.ts';
import {
  endEstimate,
  obstacles,
  spanOf,
  type Reservation,
} from '../../../src/scheduler/queues/reservation.ts';
import { SlotTimeline, type SlotRack, type SlotWork } from './slot-timeline.ts';

const MINUTE_MS = 60_000;
const NOW_MS = 1_000_003;
const at = (minutes: number): number => NOW_MS + minutes * MINUTE_MS;
const limits: BackfillLimits = { ...DEFAULT_BACKFILL_LIMITS, windowMs: 60 * MINUTE_MS, tests: 100_000 };

const rackArbitrary: fc.Arbitrary<SlotRack> = fc
  .record({
    slots: fc.integer({ min: 2, max: 8 }),
    running: fc.array(
      fc.record({
        slots: fc.integer({ min: 1, max: 5 }),
        earliest: fc.integer({ min: 0, max: 300 }),
        more: fc.oneof(fc.nat(300), fc.constant(Infinity)),
      }),
      { minLength: 1, maxLength: 4 },
    ),
  })
  .map(({ slots, running }) => {
    let free = slots;
    const held = running.filter((run) => (free -= run.slots) >= 0);
    return {
      slots,
      running: held.map(({ slots: taken, earliest, more }) => ({
        slots: taken,
        ends: { earliestMs: at(earliest / 10), latestMs: at((earliest + more) / 10) },
      })),
    };
  });

const waitingArbitrary = fc.array(
  fc.record({
    members: fc.integer({ min: 1, max: 3 }),
    slots: fc.integer({ min: 1, max: 4 }),
    minutes: fc.option(fc.integer({ min: 1, max: 600 }), { nil: undefined }),
    domainIds: fc.constantFrom(['0'], ['1'], ['0', '1'], ['1', '0']),
    preemptible: fc.boolean(),
    minRuntime: fc.nat(2),
    queue: fc.constantFrom('q', 'r'),
  }),
  { minLength: 1, maxLength: 7 },
);

const calendarArbitrary = fc.array(
  fc.record({
    from: fc.integer({ min: -5, max: 40 }),
    minutes: fc.integer({ min: 1, max: 30 }),
    domainId: fc.constantFrom('0', '1'),
    owner: fc.constantFrom(undefined, 'q'),
  }),
  { maxLength: 2 },
);

const caseArbitrary = fc
  .record({
    racks: fc.array(rackArbitrary, { minLength: 2, maxLength: 2 }),
    waits: waitingArbitrary,
    dates: calendarArbitrary,
    reservations: fc.integer({ min: 1, max: 3 }),
  })
  .map(({ racks, waits, dates, reservations }) => {
    const waiting = waits.map(
      ({ minutes, domainIds, preemptible, minRuntime, ...rest }, index): BackfillWork<SlotWork> => ({
        work: {
          id: `w${index}`,
          ...rest,
          ...(minutes === undefined ? {} : { maxRuntimeMs: (minutes / 10) * MINUTE_MS }),
        },
        domainIds,
        preemptible,
        minRuntimeMs: minRuntime * MINUTE_MS,
      }),
    );
    const calendar = dates.map(({ from, minutes, domainId, owner }, index): Reservation<SlotWork> => ({
      id: `date-${index}`,
      kind: 'calendar',
      domainId,
      fromMs: at(from),
      toMs: at(from + minutes),
      ...(owner === undefined ? {} : { owner }),
    }));
    const input = {
      nowMs: NOW_MS,
      timeline: new SlotTimeline(racks),
      calendar,
      waiting,
      limits: { ...limits, reservations },
    };
    return { racks, waiting, calendar, input };
  });

const started = (
  plan: BackfillPlan<SlotWork>,
  waiting: readonly BackfillWork<SlotWork>[],
): Reservation<SlotWork>[] =>
  plan.starts.map(({ workId, domainId, yieldsAtMs }) => {
    const { work } = waiting.find((one) => one.work.id === workId)!;
    const span = yieldsAtMs === undefined ? spanOf(work, NOW_MS) : { fromMs: NOW_MS, toMs: yieldsAtMs };
    return { id: workId, kind: 'started', owner: workId, domainId, work, ...span };
  });

describe('a backfill pass', () => {
  test('gives no slot twice at any time, so that no start delays a reservation', () => {
    const kinds = { starts: 0, yields: 0, reservations: 0 };
    fc.assert(
      fc.property(caseArbitrary, ({ racks, waiting, calendar, input }) => {
        const plan = planBackfill(input);
        const taken = [...started(plan, waiting), ...plan.reservations];
        const moments = [...taken, ...calendar].flatMap(({ fromMs, toMs }) => [fromMs, toMs]);
        const timeline = new SlotTimeline(racks);
        for (const { work, domainId, fromMs, toMs, kind } of taken) {
          const others = obstacles([...taken, ...calendar], work!);
          for (const moment of [fromMs, ...moments]) {
            if (moment < fromMs || moment >= toMs) continue;
            const free = timeline.freeAt(domainId, moment, others, 'latestMs');
            expect(free).toBeGreaterThanOrEqual(work!.members * work!.slots);
          }
          if (kind === 'blocked') kinds.reservations += 1;
        }
        kinds.starts += plan.starts.length;
        kinds.yields += plan.starts.filter(({ yieldsAtMs }) => yieldsAtMs !== undefined).length;
        expect(plan.exhausted).toBe(false);
      }),
      { numRuns: 1000 },
    );
    expect(Math.min(...Object.values(kinds))).toBeGreaterThan(10);
  });

  test('lets nothing yield that may not be evicted, or before its minimal runtime', () => {
    fc.assert(
      fc.property(caseArbitrary, ({ waiting, input }) => {
        for (const { workId, yieldsAtMs } of planBackfill(input).starts) {
          if (yieldsAtMs === undefined) continue;
          const { preemptible, minRuntimeMs } = waiting.find(({ work }) => work.id === workId)!;
          expect(preemptible).toBe(true);
          expect(yieldsAtMs - NOW_MS).toBeGreaterThanOrEqual(minRuntimeMs);
        }
      }),
    );
  });

  test('reserves the earliest minute that brute force finds, and estimates a range around it', () => {
    let found = 0;
    fc.assert(
      fc.property(caseArbitrary, ({ racks, waiting, calendar }) => {
        const timeline = new SlotTimeline(racks);
        const [{ work, domainIds }] = waiting as [BackfillWork<SlotWork>];
        const reserved = obstacles(calendar, work);
        const steps = Array.from({ length: 61 }, (_, minute) => at(minute));
        const first = (ends: 'earliestMs' | 'latestMs'): number | undefined =>
          steps.find((startMs) =>
            domainIds.some(
              (id) => timeline.members(id, work, spanOf(work, startMs), reserved, ends) >= work.members,
            ),
          );
        const tests = new BackfillTests(timeline, 100_000);
        const search = (ends: 'earliestMs' | 'latestMs'): number | undefined =>
          earliestStart(tests, { work, domainIds, reserved: calendar, ends, nowMs: NOW_MS, limits })?.startMs;
        const [earliest, latest] = [search('earliestMs'), search('latestMs')];
        expect([earliest, latest]).toEqual([first('earliestMs'), first('latestMs')]);
        if (latest === undefined) return;
        expect(earliest).toBeLessThanOrEqual(latest);
        found += 1;
      }),
      { numRuns: 400 },
    );
    expect(found).toBeGreaterThan(100);
  });

  test('starts what can start: nothing that waits behind would fit beside all the rest', () => {
    fc.assert(
      fc.property(caseArbitrary, ({ racks, waiting, calendar, input }) => {
        const plan = planBackfill(input);
        const all = [...calendar, ...started(plan, waiting), ...plan.reservations];
        const timeline = new SlotTimeline(racks);
        const running = new Set(plan.starts.map(({ workId }) => workId));
        for (const { work, domainIds } of waiting.filter((one) => !running.has(one.work.id))) {
          for (const domainId of domainIds) {
            const members = timeline.members(
              domainId,
              work,
              spanOf(work, NOW_MS),
              obstacles(all, work),
              'latestMs',
            );
            expect(members).toBeLessThan(work.members);
          }
        }
      }),
    );
  });
});

describe('by hand', () => {
  /** Rack 0 has 8 slots, of which 6 are in use for 30 more minutes. */
  const busy: SlotRack = {
    slots: 8,
    running: [{ slots: 6, ends: { earliestMs: NOW_MS, latestMs: at(30) } }],
  };
  const waits = (
    id: string,
    slots: number,
    minutes?: number,
    preemptible = false,
  ): BackfillWork<SlotWork> => ({
    work: {
      id,
      queue: 'q',
      members: 1,
      slots,
      ...(minutes === undefined ? {} : { maxRuntimeMs: minutes * MINUTE_MS }),
    },
    domainIds: ['0'],
    preemptible,
    minRuntimeMs: 5 * MINUTE_MS,
  });
  const pass = (
    waiting: readonly BackfillWork<SlotWork>[],
    changes: Partial<BackfillLimits> = {},
    calendar: readonly Reservation<SlotWork>[] = [],
    rack = busy,
  ) =>
    planBackfill({
      nowMs: NOW_MS,
      timeline: new SlotTimeline([rack]),
      calendar,
      waiting,
      limits: { ...limits, reservations: 1, ...changes },
    });

  test('a gang holds its rack from when the limit of running work frees it; short work passes, long does not', () => {
    const plan = pass([
      waits('gang', 8, 60),
      waits('long', 2, 31),
      waits('short', 2, 30),
      waits('no-room', 1, 1),
    ]);
    expect(plan.reservations).toMatchObject([
      { id: 'gang', kind: 'blocked', domainId: '0', fromMs: at(30), toMs: at(90) },
    ]);
    expect(plan.estimates).toEqual([{ workId: 'gang', earliestMs: NOW_MS, latestMs: at(30) }]);
    expect(plan.starts).toEqual([{ workId: 'short', domainId: '0' }]);
  });

  test('long work passes outside of what is held', () => {
    expect(pass([waits('gang', 7, 60), waits('long', 1), waits('longer', 1)]).starts).toEqual([
      { workId: 'long', domainId: '0' },
    ]);
  });

  test('long work that may be evicted passes until the place is wanted', () => {
    expect(pass([waits('gang', 8, 60), waits('long', 2, undefined, true)]).starts).toEqual([
      { workId: 'long', domainId: '0', yieldsAtMs: at(30) },
    ]);
  });

  test('work that has to yield gets the longest time that its place allows', () => {
    const date = (id: string, from: number, to: number): Reservation<SlotWork> => ({
      id,
      kind: 'calendar',
      domainId: '0',
      fromMs: at(from),
      toMs: at(to),
    });
    const one = { ...date('one-slot', 10, 15), work: { id: 'x', queue: 'x', members: 1, slots: 1 } };
    const plan = (slots: number) =>
      pass([waits('long', slots, undefined, true)], {}, [one, date('all', 20, 50)]);
    expect(plan(1).starts).toEqual([{ workId: 'long', domainId: '0', yieldsAtMs: at(20) }]);
    expect(plan(2).starts).toEqual([{ workId: 'long', domainId: '0', yieldsAtMs: at(10) }]);
  });

  test('behind running work without a limit nothing is promised, and nothing held', () => {
    const endless: SlotRack = {
      slots: 8,
      running: [{ slots: 6, ends: endEstimate({ startedMs: 0 }, NOW_MS) }],
    };
    const plan = pass([waits('gang', 8, 60), waits('long', 2)], {}, [], endless);
    expect(plan.estimates).toEqual([{ workId: 'gang', earliestMs: NOW_MS }]);
    expect(plan.reservations).toEqual([]);
    expect(plan.starts).toEqual([{ workId: 'long', domainId: '0' }]);
  });

  test('what frees only after the window is not planned', () => {
    expect(pass([waits('gang', 8, 60)], { windowMs: 29 * MINUTE_MS }).reservations).toEqual([]);
  });

  test('the second in line waits for the first, and both are held', () => {
    const plan = pass([waits('one', 8, 10), waits('two', 8, 10), waits('three', 8, 10)], { reservations: 2 });
    expect(plan.reservations.map(({ id, fromMs }) => [id, fromMs])).toEqual([
      ['one', at(30)],
      ['two', at(40)],
    ]);
  });

  test('maintenance lets work start that ends before it; a team’s dates let only the team’s', () => {
    const maintenance: Reservation<SlotWork> = {
      id: 'm',
      kind: 'calendar',
      domainId: '0',
      fromMs: at(20),
      toMs: at(50),
    };
    const works = [waits('a', 1, 21), waits('b', 1, 20)];
    expect(pass(works, { reservations: 0 }, [maintenance]).starts).toEqual([{ workId: 'b', domainId: '0' }]);
    expect(pass(works, { reservations: 0 }, [{ ...maintenance, owner: 'q' }]).starts).toHaveLength(2);
    expect(pass([works[0]!], {}, [maintenance]).reservations).toMatchObject([{ id: 'a', fromMs: at(50) }]);
  });

  test('tests are bounded; what was not looked at neither starts nor is called late', () => {
    const works = [waits('gang', 8, 60), waits('short', 2, 1)];
    const timeline = new SlotTimeline([busy]);
    for (let tests = 0; tests < 4; tests += 1) {
      timeline.asked = 0;
      const plan = planBackfill({
        nowMs: NOW_MS,
        timeline,
        calendar: [],
        waiting: works,
        limits: { ...limits, reservations: 1, tests },
      });
      expect(plan).toMatchObject({ exhausted: true, starts: [] });
      expect(timeline.asked).toBe(tests);
    }
  });

  test('running work ends at its limit at the latest, and overdue work is about to', () => {
    expect(endEstimate({ startedMs: NOW_MS - 5, maxRuntimeMs: 10 }, NOW_MS)).toEqual({
      earliestMs: NOW_MS,
      latestMs: NOW_MS + 5,
    });
    expect(endEstimate({ startedMs: NOW_MS - 50, maxRuntimeMs: 10 }, NOW_MS)).toEqual({
      earliestMs: NOW_MS,
      latestMs: NOW_MS,
    });
  });
});
