// Shows that work that is cut into turns comes to the same: whoever has room gets it, in the order in which
// he waits, however little one turn does and whatever happens between two of them.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EventView } from '@clawbernetes/protocol';
import { DEFAULT_FLEET_OPTIONS, type WorkloadRecord } from '../../src/index.ts';
import { FleetFixture } from './fleet-fixture.ts';

const NODES = ['a', 'b', 'c'] as const;
/** Placements and looks of one turn: hardly any of either. */
const TINY = { placementsPerTurn: 2, looksPerTurn: 1 } as const;

const changeArbitrary = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('submit'),
      gpus: fc.nat(4),
      cores: fc.integer({ min: 1, max: 4 }),
      priority: fc.nat(2),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('end'), pick: fc.nat(100) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('stop'), pick: fc.nat(100) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cordon'), node: fc.constantFrom(...NODES) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('uncordon'), node: fc.constantFrom(...NODES) }) },
  /** Some turns pass: none, or a few. */
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('turns'), count: fc.nat(3) }) },
);
type Change = typeof changeArbitrary extends fc.Arbitrary<infer One> ? One : never;

function apply(fixture: FleetFixture, change: Change): void {
  const { fleet } = fixture;
  const pick = <T>(items: readonly T[]): T | undefined =>
    'pick' in change ? items[change.pick % Math.max(1, items.length)] : undefined;
  if ('gpus' in change) {
    const { gpus, cores, priority } = change;
    fixture.submit({ resources: { gpus, cpuMilli: cores * 1000, memoryMib: 64 }, priority });
  } else if (change.kind === 'end') {
    const live = pick(fleet.nodes().flatMap(({ id }) => fleet.liveAttempts(id)));
    if (live) fixture.report(live, { state: 'exited', exitCode: 0, revision: live.revision + 1 });
  } else if (change.kind === 'stop') {
    const queued = pick(fleet.workloads('default').filter(({ state }) => state === 'queued'));
    if (queued) fleet.intake.stop(queued, false);
  } else if ('node' in change) {
    const node = fleet.findNode(`node-${change.node}`);
    if (node && change.kind === 'cordon') fleet.administration.cordon(node);
    else if (node) fleet.administration.uncordon(node);
  }
}

/** One turn of the event loop after the other, without time going on. */
async function turns(fixture: FleetFixture, count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await fixture.settle(0);
}

interface Asked {
  readonly id: string;
  readonly priority: number;
  readonly asked: readonly number[];
  submitted: number;
  /** Its place in the order of events; Infinity = it never got there. */
  placed: number;
  ended: number;
}

/** All workloads, with when they came and went by the numbers of their events. */
function historyOf(fixture: FleetFixture, events: readonly EventView[]): readonly Asked[] {
  const asked = new Map(
    fixture.fleet.workloads('default').map(({ id, spec }): readonly [string, Asked] => {
      const { gpus, cpuMilli = 0 } = spec.resources;
      const times = { submitted: Infinity, placed: Infinity, ended: Infinity };
      return [id, { id, priority: spec.priority ?? 0, asked: [gpus, cpuMilli], ...times }];
    }),
  );
  for (const { sequence, subject, type } of events) {
    const one = asked.get(subject);
    if (!one) continue;
    if (type === 'attempt.placed') one.placed = Math.min(one.placed, sequence);
    else if (type === 'workload.queued' || type === 'workload.submitted')
      one.submitted = Math.min(one.submitted, sequence);
    else if (type.startsWith('workload.') && /cancelled|failed|succeeded/.test(type)) one.ended = sequence;
  }
  return [...asked.values()];
}

/** Those that would have fitted where another was placed, and had waited longer or were more important. */
function overtaken(history: readonly Asked[]): readonly (readonly [Asked, Asked])[] {
  return history.flatMap((winner) =>
    history
      .filter(
        (one) =>
          one.submitted < winner.placed &&
          Math.min(one.placed, one.ended) > winner.placed &&
          (one.priority > winner.priority ||
            (one.priority === winner.priority && one.submitted < turnOf(winner, one, history))) &&
          one.asked.every((amount, at) => amount <= (winner.asked[at] ?? 0)),
      )
      .map((one) => [one, winner] as const),
  );
}

/** Workloads of one shape have their turn together: when its oldest came that waited beside this one. */
function turnOf(winner: Asked, beside: Asked, history: readonly Asked[]): number {
  const twins = history.filter(
    ({ asked, priority, placed }) =>
      String(asked) === String(winner.asked) && priority === winner.priority && placed > beside.submitted,
  );
  return Math.min(...twins.map(({ submitted }) => submitted));
}

async function played(options: typeof TINY, changes: readonly Change[]): Promise<FleetFixture> {
  const fixture = await FleetFixture.open(options);
  for (const [index, name] of NODES.entries()) fixture.join(name, index + 1);
  await fixture.settle();
  for (const change of changes) {
    if ('count' in change) await turns(fixture, change.count);
    else apply(fixture, change);
    fixture.clock.jumpWallTime(1);
  }
  await fixture.settle();
  return fixture;
}

describe('however little one turn does', () => {
  test('nobody is overtaken by who came later, and nobody waits for nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(changeArbitrary, { minLength: 5, maxLength: 60 }), async (changes) => {
        const fixture = await played(TINY, changes);
        const { fleet } = fixture;
        const events = await fleet.events({ from: 0, limit: 10_000 });
        expect(overtaken(historyOf(fixture, events))).toEqual([]);
        const all = Object.groupBy(fleet.workloads('default'), ({ state }) => state);
        const counts = Object.entries(all).map(([state, some]) => [state, some.length]);
        expect(fleet.workloadCounts('default')).toEqual(Object.fromEntries(counts));
        const nodes = fleet.nodes().map((node) => fleet.nodeView(node));
        for (const { state, spec } of fleet.workloads('default').filter((one) => one.state === 'queued'))
          for (const { eligibility, free } of nodes) {
            const { gpus, cpuMilli = 0 } = spec.resources;
            const fits = eligibility === 'schedulable' && gpus <= free.gpus && cpuMilli <= free.cpuMilli;
            expect({ state, fits }).toEqual({ state, fits: false });
          }
        await fleet[Symbol.asyncDispose]();
      }),
      { numRuns: 200 },
    );
  });
});

/** Workloads that hold all of a node of four GPUs, and many shapes that wait for some of it. */
async function crowded(looksPerTurn: number): Promise<{
  readonly fixture: FleetFixture;
  readonly holders: readonly WorkloadRecord[];
  readonly waiting: readonly WorkloadRecord[];
}> {
  const fixture = await FleetFixture.open({ ...DEFAULT_FLEET_OPTIONS, looksPerTurn });
  fixture.join('a', 4, { cpu: { model: 'test', cores: 1000, sockets: 1, numaNodes: 1 } });
  const small = (cpuMilli: number) => ({ resources: { gpus: 1, cpuMilli, memoryMib: 4 } });
  const holders = [1, 2, 3, 4].map(() => fixture.submit(small(100)));
  await fixture.settle();
  const waiting = Array.from({ length: 100 }, (_, index) => fixture.submit(small(200 + index)));
  await fixture.settle();
  return { fixture, holders, waiting };
}

test('a node that becomes free is not forgotten while the shapes before are tried', async () => {
  const { fixture, holders, waiting } = await crowded(1);
  for (const holder of holders) {
    const attempt = fixture.attemptOf(holder);
    fixture.report(attempt, { state: 'exited', exitCode: 0, revision: attempt.revision + 1 });
    await turns(fixture, 1);
  }
  await fixture.settle();
  expect(waiting.map((one) => fixture.state(one)).filter((state) => state === 'reserved')).toHaveLength(4);
  expect(waiting.slice(0, 4).map((one) => fixture.state(one))).toEqual(Array(4).fill('reserved'));
});

test('one turn tries only so many, and what else is asked is answered before the next', async () => {
  const { fixture, holders } = await crowded(1);
  const [holder] = holders;
  const attempt = fixture.attemptOf(holder!);
  const before = fixture.fleet.eventSequence;
  fixture.report(attempt, { state: 'exited', exitCode: 0, revision: attempt.revision + 1 });
  let laps = 0;
  while (fixture.fleet.workloads('default').filter(({ state }) => state === 'queued').length === 100) {
    await fixture.settle(0);
    laps += 1;
  }
  expect(laps).toBeGreaterThan(0);
  expect(fixture.fleet.eventSequence).toBeGreaterThan(before);
});

test('what is left over has one more turn before all else, however many others had theirs', async () => {
  const fixture = await FleetFixture.open({ placementsPerTurn: 1 });
  const node = fixture.join('a');
  await fixture.settle();
  const live = (): number => fixture.fleet.liveAttempts(node).length;
  for (let count = 0; count < 20; count += 1) fixture.submit({ resources: { cpuMilli: 10, memoryMib: 4 } });
  for (let turn = 0; turn < 8; turn += 1) {
    void fixture.fleet.durable();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const before = live();
  let between = 0;
  fixture.clock.after(0, () => (between = live() - before));
  await fixture.settle(0);
  expect([before, between]).toEqual([8, 1]);
});
