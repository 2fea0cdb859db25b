// Shows who may be evicted for whom: by priority within a queue, borrowed work only between queues, and
// guards.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { amountOf, amounts, sumOf } from '../../../src/scheduler/queues/amounts.ts';
import { ownWork } from '../../../src/scheduler/queues/own-work.ts';
import { QueueTree } from '../../../src/scheduler/queues/queue-tree.ts';
import { compareRank, evictionGpuHours, type Standing } from '../../../src/scheduler/queues/running-unit.ts';
import { compareWithinQueue } from '../../../src/scheduler/queues/workload-order.ts';
import { DEFAULT_THRASH_GUARDS } from '../../../src/scheduler/queues/victims.ts';
import { atOnce } from '../../../src/scheduler/slices.ts';
import {
  evictable,
  evictionsIn,
  HOUR_MS,
  NO_GUARDS,
  unit,
  work,
  worth,
  type FleetState,
} from './eviction-fixture.ts';
import { gpus, leavesOf, queuesArbitrary } from './queue-fixture.ts';

const flat = new QueueTree([
  { name: 'a', guaranteed: gpus(4) },
  { name: 'b', guaranteed: gpus(4) },
  { name: 'c', guaranteed: gpus(4) },
]);
const DEPARTMENTS = [
  { name: 'research' },
  { name: 'llm', parent: 'research' },
  { name: 'vision', parent: 'research' },
  { name: 'web' },
];
const base: FleetState = { tree: flat, capacity: gpus(12), units: [], waits: [] };

describe('within a queue', () => {
  const units = [unit('low', 'a', 4, { priority: 1 }), unit('same', 'a', 4, { priority: 5 })];

  test('only strictly lower priority yields, own or borrowed', () => {
    expect(evictable({ ...base, units }, work('new', 'a', 1, { priority: 5 }))).toEqual({ low: 'priority' });
    expect(evictable({ ...base, units }, work('new', 'a', 1, { priority: 1 }))).toEqual({});
  });

  test('a gang is one unit, and what an elastic one has grown to are others', () => {
    const elastic = [
      unit('gang', 'a', 2, { workloadId: 'w' }),
      unit('gang+1', 'a', 1, { workloadId: 'w', part: 'surplus' }),
    ];
    const high = work('new', 'a', 1, { priority: 1 });
    expect(evictable({ ...base, units: elastic }, high)).toEqual({ gang: 'priority', 'gang+1': 'priority' });
    expect(evictable({ ...base, units: elastic }, { ...high, id: 'w' })).toEqual({});
    const young = [elastic[0]!, { ...elastic[1]!, startedMs: HOUR_MS - 1 }];
    const guards = { ...NO_GUARDS, minRuntimeMs: 1000 };
    const state = { ...base, units: young, waits: [high], guards };
    expect(evictionsIn(state).judge(high, young[0]!)).toEqual({
      evictable: false,
      because: 'surplus-protected',
    });
  });

  test('what may not be preempted stays', () => {
    const firm = [unit('firm', 'a', 4, { preemptible: false })];
    expect(evictable({ ...base, units: firm }, work('new', 'a', 1, { priority: 9 }))).toEqual({});
  });
});

describe('between queues', () => {
  test('three queues borrow and reclaim: the owner gets his guarantee, own work stays', () => {
    const units = [unit('a-own', 'a', 4, { priority: 1 }), unit('a-borrowed', 'a', 4), unit('b-own', 'b', 4)];
    expect(evictable({ ...base, units }, work('c-1', 'c', 4))).toEqual({ 'a-borrowed': 'guarantee' });
    expect(evictable({ ...base, units }, work('b-1', 'b', 2))).toEqual({ 'a-borrowed': 'share' });
    expect(evictable({ ...base, units }, work('b-1', 'b', 3))).toEqual({});
  });

  test('which work is its own is decided by priority, then age: the borrower loses his least important', () => {
    const units = [
      unit('old', 'a', 4, { startedMs: 1 }),
      unit('young-and-important', 'a', 4, { priority: 2, startedMs: 2 }),
    ];
    expect(evictable({ ...base, units }, work('c-1', 'c', 4))).toEqual({ old: 'guarantee' });
  });

  test('a borrowed gang goes whole, even if a part of it would be its queue’s own', () => {
    expect(evictable({ ...base, units: [unit('gang', 'a', 12)] }, work('c-1', 'c', 1))).toEqual({
      gang: 'guarantee',
    });
  });

  test('surplus is taken back up to the fair share, and no further', () => {
    const tree = new QueueTree([{ name: 'a' }, { name: 'b' }]);
    const units = [1, 2, 3, 4].map((at) => unit(`a-${at}`, 'a', 3, { startedMs: at }));
    const state = { ...base, tree, units, waits: [work('b-more', 'b', 6)] };
    expect(evictable(state, work('b-1', 'b', 6))).toEqual({ 'a-3': 'share', 'a-4': 'share' });
    expect(evictable(state, work('b-1', 'b', 7))).toEqual({});
  });

  test('between two teams of one department, what other departments have does not matter', () => {
    const tree = new QueueTree([
      { name: 'research', guaranteed: gpus(8) },
      { name: 'llm', parent: 'research', guaranteed: gpus(4) },
      { name: 'vision', parent: 'research', guaranteed: gpus(4) },
      { name: 'web', guaranteed: gpus(4) },
    ]);
    const units = [unit('llm-1', 'llm', 4, { startedMs: 1 }), unit('llm-2', 'llm', 4, { startedMs: 2 })];
    const state = { ...base, tree, units };
    expect(evictable(state, work('vision-1', 'vision', 4))).toEqual({ 'llm-2': 'guarantee' });
    // For others all of research’s work lies within its guarantee.
    expect(
      evictable({ ...state, units: [...units, unit('web-1', 'web', 4)] }, work('web-2', 'web', 1)),
    ).toEqual({});
  });

  test('a department claims its guarantee for any of its teams', () => {
    const tree = new QueueTree([
      { name: 'research', guaranteed: gpus(8) },
      { name: 'llm', parent: 'research' },
      { name: 'vision', parent: 'research' },
      { name: 'web' },
    ]);
    const state = { ...base, tree, units: [unit('web-1', 'web', 12)], waits: [work('v', 'vision', 8)] };
    expect(evictable(state, work('llm-1', 'llm', 8))).toEqual({ 'web-1': 'guarantee' });
  });

  test('a fair share is claimed only by who stays within it on every level', () => {
    const tree = new QueueTree(DEPARTMENTS);
    const waits = [work('more-llm', 'llm', 12), work('more-vision', 'vision', 12)];
    const state = { ...base, tree, units: [unit('web-1', 'web', 12)], waits };
    // Six for research, three for each of its teams.
    expect(evictable(state, work('llm-1', 'llm', 3))).toEqual({ 'web-1': 'share' });
    expect(evictable(state, work('llm-1', 'llm', 4))).toEqual({});

    // Four each for research, web and a third; while vision has more than that, llm can only turn to vision.
    const crowded = { ...state, tree: new QueueTree([...DEPARTMENTS, { name: 'third' }]) };
    const units = [unit('vision-1', 'vision', 6), unit('web-1', 'web', 6)];
    const all = [...waits, work('more-web', 'web', 12), work('more-third', 'third', 12)];
    expect(evictable({ ...crowded, units, waits: all }, work('llm-1', 'llm', 2))).toEqual({
      'vision-1': 'share',
    });
  });

  test('priority does not shield what is borrowed, nor claim what is not', () => {
    const units = [unit('urgent', 'a', 8, { priority: 99 }), unit('b-own', 'b', 4)];
    expect(evictable({ ...base, units }, work('c-1', 'c', 4, { priority: -5 }))).toEqual({
      urgent: 'guarantee',
    });
    expect(evictable({ ...base, units }, work('a-2', 'a', 4, { priority: 100 }))).toEqual({
      urgent: 'priority',
    });
  });

  test('no priority inversion: what the urgent waits for is held by the least, and the middle gets neither', () => {
    const units = [unit('low', 'a', 4, { priority: 1 })];
    const [middle, high] = [work('middle', 'a', 4, { priority: 2 }), work('high', 'a', 4, { priority: 3 })];
    const first = [middle, high].toSorted((one, other) => compareWithinQueue(one, other))[0]!;
    expect(first).toBe(high);
    expect(evictable({ ...base, units, waits: [middle] }, first)).toEqual({ low: 'priority' });
    const after = [unit('high', 'a', 4, { priority: 3 })];
    expect(
      evictable({ ...base, units: after, waits: [work('low', 'a', 4, { priority: 1 })] }, middle),
    ).toEqual({});
  });

  test('firm work takes its place in the guarantee first, whatever its priority', () => {
    const units = [unit('firm', 'a', 4, { preemptible: false }), unit('urgent', 'a', 4, { priority: 9 })];
    expect(evictable({ ...base, units }, work('c-1', 'c', 4))).toEqual({ urgent: 'guarantee' });
  });

  test('a guarantee of one class gives no claim on another', () => {
    const tree = new QueueTree([
      { name: 'a', guaranteed: gpus(0, 4) },
      { name: 'b', guaranteed: gpus(8) },
    ]);
    const units = [unit('b-1', 'b', 4), unit('a-1', 'a', 8)];
    expect(evictable({ ...base, tree, units }, work('a-2', 'a', 4))).toEqual({});
    expect(evictable({ ...base, tree, units }, work('b-2', 'b', 4))).toEqual({ 'a-1': 'guarantee' });
  });

  test('what is worth nothing gives no claim: work without GPUs evicts no other queue’s', () => {
    const cpuOnly = work('b-1', 'b', 0, { amounts: amounts({ cpuMilli: 4000 }) });
    const state = { ...base, units: [unit('a-1', 'a', 12)], waits: [cpuOnly] };
    expect(evictionsIn(state).judge(cpuOnly, state.units[0]!)).toEqual({
      evictable: false,
      because: 'no-claim',
    });
  });

  test('own work never exceeds the entitlement, and evicting borrowed work leaves it what it is', () => {
    const unitArbitrary = fc.record({
      at: fc.nat(),
      count: fc.integer({ min: 1, max: 6 }),
      priority: fc.nat(3),
      startedMs: fc.nat(9),
      preemptible: fc.boolean(),
    });
    fc.assert(
      fc.property(queuesArbitrary, fc.array(unitArbitrary, { maxLength: 20 }), (specs, drawn) => {
        const tree = new QueueTree(specs);
        const leaves = leavesOf(specs);
        const units = drawn.map(({ at, count, ...rest }, index) =>
          unit(`u${index}`, leaves[at % leaves.length]!, count, rest),
        );
        const owners = atOnce(
          ownWork({ tree, worth }, units.toSorted(compareRank), ({ guaranteed }) => guaranteed),
        );
        for (const queue of tree.parentsFirst) {
          const own = units.filter(({ id }) => owners.get(id)?.path.includes(queue));
          const sum = amountOf(sumOf(own.map((one) => one.amounts)), 'gpu:h100');
          expect(sum).toBeLessThanOrEqual(amountOf(queue.guaranteed, 'gpu:h100'));
        }
        const stays = units.filter(({ id, startedMs }) => owners.has(id) || startedMs % 2 === 0);
        const after = atOnce(
          ownWork({ tree, worth }, stays.toSorted(compareRank), ({ guaranteed }) => guaranteed),
        );
        for (const [id, queue] of owners) expect(after.get(id)).toBe(queue);
      }),
    );
  });
});

describe('guards', () => {
  const nowMs = 10 * HOUR_MS;
  const guards = { minRuntimeMs: HOUR_MS, coolDownMs: 2 * HOUR_MS, maxPreemptions: 2 };
  const high = work('new', 'a', 1, { priority: 1 });
  const claim = work('c-1', 'c', 4);
  const judge = (changes: Parameters<typeof unit>[3], asks = high): unknown => {
    const running = unit('u', 'a', 12, changes);
    const verdict = evictionsIn({ ...base, units: [running], waits: [asks], guards, nowMs }).judge(
      asks,
      running,
    );
    return verdict.evictable ? verdict.ground : verdict.because;
  };

  test('a unit runs its minimal time', () => {
    expect(judge({ startedMs: nowMs - HOUR_MS + 1 })).toBe('min-runtime');
    expect(judge({ startedMs: nowMs - HOUR_MS })).toBe('priority');
  });

  test('after a preemption its workload is left alone for a while', () => {
    expect(judge({ lastPreemptedMs: nowMs - 2 * HOUR_MS + 1, preemptions: 1 })).toBe('cool-down');
    expect(judge({ lastPreemptedMs: nowMs - 2 * HOUR_MS, preemptions: 1 })).toBe('priority');
  });

  test('are on unless told: five minutes of running, a quarter of an hour after a preemption, three of them', () => {
    const running = (changes: Parameters<typeof unit>[3]): FleetState => ({
      ...base,
      units: [unit('u', 'a', 1, changes)],
      guards: DEFAULT_THRASH_GUARDS,
      nowMs,
    });
    const minute = HOUR_MS / 60;
    expect(evictable(running({ startedMs: nowMs - 5 * minute }), high)).toEqual({ u: 'priority' });
    expect(evictable(running({ startedMs: nowMs - 4 * minute }), high)).toEqual({});
    expect(evictable(running({ lastPreemptedMs: nowMs - 14 * minute }), high)).toEqual({});
    expect(evictable(running({ preemptions: 3 }), high)).toEqual({});
  });

  test('after so many preemptions only a guarantee may evict it', () => {
    expect(judge({ preemptions: 1 })).toBe('priority');
    expect(judge({ preemptions: 2 })).toBe('preemption-cap');
    expect(judge({ preemptions: 2 }, claim)).toBe('guarantee');
  });
});

describe('the cost of an eviction', () => {
  const eight = unit('u', 'a', 8, { startedMs: HOUR_MS, restartGpuHours: 1.5 });

  test('is GPU-hours since start or checkpoint, and the restart', () => {
    expect(evictionGpuHours(eight, worth, 4 * HOUR_MS)).toBe(25.5);
    expect(evictionGpuHours({ ...eight, checkpointMs: 3.5 * HOUR_MS }, worth, 4 * HOUR_MS)).toBe(5.5);
    expect(evictionGpuHours({ ...eight, checkpointMs: 9 * HOUR_MS }, worth, 4 * HOUR_MS)).toBe(1.5);
  });
});

describe('a reclaim', () => {
  const tree = new QueueTree([{ name: 'a' }, { name: 'b' }]);
  const before: FleetState = {
    tree,
    capacity: gpus(8),
    units: [unit('b-1', 'b', 8)],
    waits: [work('a-1', 'a', 4)],
  };
  const reclaims = evictionsIn(before).reclaimsBy(before.waits[0]!, before.units);
  const evicted = work('b-1', 'b', 4);
  // Queue a has borrowed more meanwhile; its important work makes a-1 the borrowed one.
  const grown = [
    unit('a-1', 'a', 4, { startedMs: 1, reclaims }),
    unit('a-2', 'a', 4, { startedMs: 2, priority: 1 }),
  ];
  const state: FleetState = { ...before, units: grown, waits: [evicted] };

  /** What is said of a-1, the reclaim being remembered with these differences. */
  const verdict = (
    was: { theirs?: Partial<Standing>; ours?: Partial<Standing> } = {},
    fleet: FleetState = state,
  ): unknown => {
    const theirs = { share: gpus(4), demand: gpus(4), ...was.theirs };
    const ours = { share: gpus(4), demand: gpus(8), ...was.ours };
    const remembered = { ...grown[0]!, reclaims: [{ from: 'b', before: { theirs, ours } }] };
    const found = evictionsIn({ ...fleet, units: [remembered, grown[1]!] }).judge(evicted, remembered);
    return found.evictable ? found.ground : found.because;
  };

  test('is not turned around while the order that justified it holds', () => {
    expect(verdict()).toBe('would-invert');
    expect(verdict({ theirs: { demand: gpus(5) } })).toBe('would-invert');
    expect(verdict({ ours: { share: gpus(3) } })).toBe('would-invert');
  });

  test('no longer stands once the loser’s share has grown, or the winner’s has shrunk', () => {
    expect(verdict({ theirs: { share: gpus(3) } })).toBe('share');
    expect(verdict({ ours: { share: gpus(5) } })).toBe('share');
  });

  test('yields to a guarantee once anybody’s demand has changed', () => {
    const owned = new QueueTree([{ name: 'a' }, { name: 'b', guaranteed: gpus(4) }]);
    expect(verdict({}, { ...state, tree: owned })).toBe('would-invert');
    expect(verdict({ theirs: { demand: gpus(8) } }, { ...state, tree: owned })).toBe('guarantee');
    expect(verdict({ ours: { demand: gpus(4) } }, { ...state, tree: owned })).toBe('guarantee');
  });

  test('remembers the side that lost and what both were entitled to', () => {
    expect(reclaims).toHaveLength(1);
    expect(reclaims[0]!.from).toBe('b');
    expect(amountOf(reclaims[0]!.before.ours.share, 'gpu:h100')).toBe(4000);
    expect(amountOf(reclaims[0]!.before.theirs.share, 'gpu:h100')).toBe(4000);
    expect(amountOf(reclaims[0]!.before.theirs.demand, 'gpu:h100')).toBe(8000);
  });
});
