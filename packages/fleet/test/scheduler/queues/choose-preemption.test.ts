// Shows that victims are few and cheap, none of them for nothing, and that a search that ended early says so.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  choosePreemption,
  DEFAULT_PREEMPTION_LIMITS,
  type PreemptionChoice,
  type PreemptionDomain,
} from '../../../src/scheduler/queues/choose-preemption.ts';
import type { RunningUnit } from '../../../src/scheduler/queues/running-unit.ts';
import type { Victim } from '../../../src/scheduler/queues/victims.ts';
import { unit } from './eviction-fixture.ts';

function victim(id: string, gpuHours: number, changes: Partial<RunningUnit> = {}): Victim {
  return { unit: unit(id, 'a', 1, changes), ground: 'priority', gpuHours };
}

/** A small fleet: nodes in racks, units on nodes; a gang needs so many free GPUs on each of so many nodes. */
interface Rack {
  readonly nodes: readonly { readonly free: number; readonly held: readonly (readonly [string, number])[] }[];
}

function gangFits(racks: readonly Rack[], gang: { members: number; size: number }) {
  return (removed: ReadonlySet<string>, domainId: string): boolean => {
    const places = racks[Number(domainId)]!.nodes.map(({ free, held }) => {
      const freed = held.reduce((sum, [id, size]) => sum + (removed.has(id) ? size : 0), free);
      return Math.floor(freed / gang.size);
    });
    return places.reduce((sum, count) => sum + count, 0) >= gang.members;
  };
}

const heldArbitrary = fc.record({
  size: fc.integer({ min: 1, max: 4 }),
  hours: fc.nat(5),
  priority: fc.nat(2),
  gang: fc.nat(3),
});
const fleetArbitrary = fc
  .array(
    fc.array(fc.record({ free: fc.nat(2), held: fc.array(heldArbitrary, { maxLength: 2 }) }), {
      minLength: 1,
      maxLength: 3,
    }),
    { minLength: 1, maxLength: 3 },
  )
  .map((racks) => {
    const candidates: Victim[] = [];
    const fleet = racks.map((nodes, rack) => ({
      nodes: nodes.map(({ free, held }, node) => ({
        free,
        held: held.map(({ size, hours, priority, gang }, at): readonly [string, number] => {
          const id = `u${rack}${node}${at}`;
          // Some units are what a gang elsewhere in the fleet has grown to.
          const core = candidates.find(
            ({ unit: { part, workloadId } }) => part === 'core' && workloadId === `g${gang}`,
          );
          candidates.push(
            victim(id, hours, {
              workloadId: `g${gang}`,
              part: core ? 'surplus' : 'core',
              priority: core ? core.unit.priority : priority,
            }),
          );
          return [id, size];
        }),
      })),
    }));
    const domains = fleet.map(({ nodes }, at): PreemptionDomain => ({
      id: `${at}`,
      unitIds: nodes.flatMap(({ held }) => held.map(([id]) => id)),
    }));
    return { fleet, candidates, domains };
  });
const gangArbitrary = fc.record({
  members: fc.integer({ min: 1, max: 3 }),
  size: fc.integer({ min: 1, max: 5 }),
});

const idsOf = (victims: readonly Victim[]): Set<string> => new Set(victims.map(({ unit: { id } }) => id));

/** A core takes its surplus with it. */
function isClosed(removed: ReadonlySet<string>, candidates: readonly Victim[]): boolean {
  const cores = candidates.filter(({ unit: { id, part } }) => part === 'core' && removed.has(id));
  return cores.every((core) =>
    candidates.every(({ unit: one }) => one.workloadId !== core.unit.workloadId || removed.has(one.id)),
  );
}

function subsetsOf(ids: readonly string[]): readonly Set<string>[] {
  return Array.from(
    { length: 2 ** ids.length },
    (_, mask) => new Set(ids.filter((_id, at) => (mask >> at) & 1)),
  );
}

describe('victims', () => {
  test('make room for the whole gang, and brute force spares none of them and finds none where none are found', () => {
    let chosen = 0;
    let hopeless = 0;
    fc.assert(
      fc.property(fleetArbitrary, gangArbitrary, ({ fleet, candidates, domains }, gang) => {
        const fits = gangFits(fleet, gang);
        const choice = choosePreemption({ candidates, domains, fits, limits: DEFAULT_PREEMPTION_LIMITS });
        if (choice.outcome !== 'chosen') {
          expect(choice.outcome).toBe('does-not-fit');
          for (const { id } of domains) expect(fits(idsOf(candidates), id)).toBe(false);
          hopeless += 1;
          return;
        }
        chosen += 1;
        const { plan, complete } = choice;
        const removed = idsOf(plan.victims);
        expect([complete, plan.minimal]).toEqual([true, true]);
        expect(fits(removed, plan.domainId)).toBe(true);
        expect(isClosed(removed, candidates)).toBe(true);
        for (const fewer of subsetsOf([...removed])) {
          if (fewer.size < removed.size && isClosed(fewer, candidates))
            expect(fits(fewer, plan.domainId)).toBe(false);
        }
        expect(plan.gpuHours).toBe(plan.victims.reduce((sum, { gpuHours }) => sum + gpuHours, 0));
      }),
      { numRuns: 300 },
    );
    expect(Math.min(chosen, hopeless)).toBeGreaterThan(20);
  });

  test('are those of the cheapest domain', () => {
    fc.assert(
      fc.property(fleetArbitrary, gangArbitrary, ({ fleet, candidates, domains }, gang) => {
        const search = (some: readonly PreemptionDomain[]): PreemptionChoice =>
          choosePreemption({
            candidates,
            domains: some,
            fits: gangFits(fleet, gang),
            limits: DEFAULT_PREEMPTION_LIMITS,
          });
        const costs = domains.flatMap((domain) => {
          const choice = search([domain]);
          return choice.outcome === 'chosen' ? [choice.plan.gpuHours] : [];
        });
        const choice = search(domains);
        if (choice.outcome === 'chosen') expect(choice.plan.gpuHours).toBe(Math.min(...costs));
        else expect(costs).toEqual([]);
      }),
    );
  });

  test('are the least important that suffice: spared one by one from the top gives the same', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ size: fc.integer({ min: 1, max: 5 }), hours: fc.nat(3), priority: fc.nat(3) }), {
          maxLength: 40,
        }),
        fc.nat(60),
        (drawn, need) => {
          const candidates = drawn.map(({ hours, priority }, at) => victim(`u${at}`, hours, { priority }));
          const sizes = new Map(drawn.map(({ size }, at) => [`u${at}`, size]));
          const fits = (removed: ReadonlySet<string>): boolean =>
            [...removed].reduce((sum, id) => sum + sizes.get(id)!, 0) >= need;
          const expected = idsOf(candidates);
          if (!fits(expected)) return;
          const byImportance = candidates.toSorted(
            (one, other) =>
              other.unit.priority - one.unit.priority ||
              other.gpuHours - one.gpuHours ||
              (one.unit.id < other.unit.id ? -1 : 1),
          );
          for (const {
            unit: { id },
          } of byImportance)
            if (!expected.delete(id) || !fits(expected)) expected.add(id);
          const domains = [{ id: 'all', unitIds: [...sizes.keys()] }];
          const choice = choosePreemption({ candidates, domains, fits, limits: DEFAULT_PREEMPTION_LIMITS });
          expect(choice.outcome === 'chosen' && idsOf(choice.plan.victims)).toEqual(expected);
        },
      ),
    );
  });

  test('gang preempts gang: the cheaper rack, the whole gang, and the bystander stays', () => {
    const racks: Rack[] = [
      {
        nodes: [
          { free: 0, held: [['dear', 8]] },
          { free: 8, held: [] },
        ],
      },
      {
        nodes: [
          { free: 0, held: [['cheap', 8]] },
          {
            free: 4,
            held: [
              ['bystander', 2],
              ['tiny', 2],
            ],
          },
        ],
      },
    ];
    const candidates = [victim('dear', 90), victim('cheap', 5), victim('bystander', 1), victim('tiny', 2)];
    const domains = [
      { id: '0', unitIds: ['dear'] },
      { id: '1', unitIds: ['cheap', 'bystander', 'tiny'] },
    ];
    const search = (size: number): PreemptionChoice =>
      choosePreemption({
        candidates,
        domains,
        fits: gangFits(racks, { members: 2, size }),
        limits: DEFAULT_PREEMPTION_LIMITS,
      });
    expect(search(4)).toMatchObject({ plan: { domainId: '0', victims: [] } });
    const choice = search(6);
    expect(choice).toMatchObject({ outcome: 'chosen', complete: true, plan: { domainId: '1', gpuHours: 6 } });
    expect(choice.outcome === 'chosen' && [...idsOf(choice.plan.victims)]).toEqual(['cheap', 'bystander']);
  });

  test('nobody is evicted for a part of a gang', () => {
    const racks: Rack[] = [{ nodes: [{ free: 0, held: [['one', 8]] }] }];
    const choice = choosePreemption({
      candidates: [victim('one', 1)],
      domains: [{ id: '0', unitIds: ['one'] }],
      fits: gangFits(racks, { members: 2, size: 8 }),
      limits: DEFAULT_PREEMPTION_LIMITS,
    });
    expect(choice).toEqual({ outcome: 'does-not-fit', domainsLooked: 1, fitsCalls: 1 });
  });

  test('an elastic gang shrinks before it goes', () => {
    const gang = { workloadId: 'w' };
    const candidates = [
      victim('core', 0, gang),
      victim('grown-1', 9, { ...gang, part: 'surplus' }),
      victim('grown-2', 9, { ...gang, part: 'surplus' }),
    ];
    const domains = [{ id: 'all', unitIds: ['core', 'grown-1', 'grown-2'] }];
    const search = (fits: (removed: ReadonlySet<string>) => boolean): unknown => {
      const choice = choosePreemption({ candidates, domains, fits, limits: DEFAULT_PREEMPTION_LIMITS });
      return choice.outcome === 'chosen' && [...idsOf(choice.plan.victims)];
    };
    expect(search(({ size }) => size >= 1)).toEqual(['grown-2']);
    expect(search(({ size }) => size >= 2)).toEqual(['grown-1', 'grown-2']);
    expect(search((removed) => removed.has('core'))).toEqual(['core', 'grown-1', 'grown-2']);
  });

  test('a placer that likes less room better is asked again, so that still none is for nothing', () => {
    const candidates = ['a', 'b', 'c'].map((id) => victim(id, 1));
    // Without a it fits only once b is spared.
    const sets = ['a,b,c', 'a,c', 'c'];
    const choice = choosePreemption({
      candidates,
      domains: [{ id: 'all', unitIds: ['a', 'b', 'c'] }],
      fits: (removed) => sets.includes([...removed].toSorted().join(',')),
      limits: DEFAULT_PREEMPTION_LIMITS,
    });
    expect(choice.outcome === 'chosen' && [...idsOf(choice.plan.victims)]).toEqual(['c']);
  });
});

describe('limits', () => {
  const candidates = Array.from({ length: 512 }, (_, at) => victim(`u${at}`, at));
  const domain = { id: 'all', unitIds: candidates.map(({ unit: { id } }) => id) };
  const search = (fitsCalls: number, wanted: number, domains: readonly PreemptionDomain[] = [domain]) => {
    let calls = 0;
    const fits = (removed: ReadonlySet<string>): boolean => {
      calls += 1;
      return removed.size >= wanted;
    };
    const choice = choosePreemption({ candidates, domains, fits, limits: { domains: 2, fitsCalls } });
    expect(choice.fitsCalls).toBe(calls);
    expect(calls).toBeLessThanOrEqual(fitsCalls);
    return choice;
  };

  test('few victims among many candidates take few questions', () => {
    const choice = search(DEFAULT_PREEMPTION_LIMITS.fitsCalls, 4);
    expect(choice).toMatchObject({ outcome: 'chosen', plan: { minimal: true } });
    expect(choice.fitsCalls).toBeLessThan(40);
  });

  test('a budget that ends too early is not called impossible', () => {
    expect(search(0, 4)).toEqual({ outcome: 'search-budget-exhausted', domainsLooked: 0, fitsCalls: 0 });
    expect(search(10, 4)).toMatchObject({ outcome: 'search-budget-exhausted' });
    expect(search(1, 999)).toMatchObject({ outcome: 'does-not-fit', domainsLooked: 1 });
    expect(search(1, 999, [domain, { ...domain, id: 'other' }])).toMatchObject({
      outcome: 'search-budget-exhausted',
    });
  });

  test('what was found before it ended is taken, and said to be unproven or incomplete', () => {
    const { fitsCalls } = search(1000, 4);
    expect(search(fitsCalls - 1, 4)).toMatchObject({ outcome: 'chosen', plan: { minimal: false } });
    const other = { ...domain, id: 'other' };
    expect(search(fitsCalls + 3, 4, [domain, other])).toMatchObject({
      outcome: 'chosen',
      complete: false,
      plan: { domainId: 'all', minimal: true },
    });
    expect(search(1000, 4, [domain, other, { ...domain, id: 'third' }])).toMatchObject({
      complete: false,
      domainsLooked: 2,
    });
  });
});
