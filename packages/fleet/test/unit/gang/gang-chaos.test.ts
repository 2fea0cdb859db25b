// Shows that whatever members and nodes do, in any order, a gang keeps its rules: ranks that are whole and
// unique, no GPU given twice, no start before all are ready, and an end that the rows agree with.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AttemptRecord, WorkloadRecord } from '../../../src/index.ts';
import { GangFixture } from './gang-fixture.ts';

type Step =
  | {
      readonly kind: 'report';
      readonly member: number;
      readonly state: 'ready' | 'running' | 'done' | 'failed' | 'lost';
    }
  | { readonly kind: 'ends'; readonly member: number }
  | { readonly kind: 'silence'; readonly node: number; readonly seconds: number }
  | { readonly kind: 'drain'; readonly node: number }
  | { readonly kind: 'time'; readonly seconds: number }
  | { readonly kind: 'crash' };

const member = fc.nat(3);
const node = fc.nat(4);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('report' as const),
      member,
      state: fc.constantFrom(
        'ready' as const,
        'running' as const,
        'ready' as const,
        'running' as const,
        'done' as const,
        'failed' as const,
      ),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('ends' as const), member }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('silence' as const), node, seconds: fc.constantFrom(40, 110) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('drain' as const), node }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('time' as const), seconds: fc.constantFrom(1, 20) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash' as const) }) },
);

async function take(fixture: GangFixture, workload: WorkloadRecord, one: Step): Promise<void> {
  const live = fixture.members(workload).filter(({ finishedAtMs }) => finishedAtMs === undefined);
  const chosen = 'member' in one ? live[one.member % Math.max(1, live.length)] : undefined;
  const name = 'node' in one ? (fixture.names[one.node] ?? '') : '';
  if (one.kind === 'report' && chosen) report(fixture, workload, chosen, one.state);
  if (one.kind === 'ends' && chosen?.evicted)
    fixture.report(chosen, { state: 'killed', reason: 'stopped', finishedAtMs: 9 });
  if (one.kind === 'silence') await fixture.pass(one.seconds * 1000, [name]);
  if (one.kind === 'drain') drain(fixture, name);
  if (one.kind === 'time') await fixture.pass(one.seconds * 1000);
  if (one.kind === 'crash') {
    await fixture.fleet.crashAndReopen();
    for (const each of fixture.names) fixture.fleet.connect(`node-${each}`);
  }
  await fixture.fleet.settle();
}

/** As a node would: it runs only what it was let run. */
function report(fixture: GangFixture, workload: WorkloadRecord, chosen: AttemptRecord, state: string): void {
  const phase = fixture.fleet.fleet.findWorkload(workload.id)?.gang?.phase;
  const mayRun = phase !== 'gathering' && chosen.revision > 0;
  if (state === 'ready' && !mayRun) fixture.report(chosen, { state: 'ready' });
  if (state === 'running' && mayRun) fixture.report(chosen, { state: 'running', startedAtMs: 5 });
  if (state === 'done' && chosen.state === 'running')
    fixture.report(chosen, { state: 'exited', exitCode: 0, finishedAtMs: 9 });
  if (state === 'failed' && chosen.state === 'running')
    fixture.report(chosen, { state: 'exited', exitCode: 1, finishedAtMs: 9 });
  if (state === 'lost')
    fixture.report(chosen, { state: 'killed', reason: 'executor-unavailable', finishedAtMs: 9 });
}

function drain(fixture: GangFixture, name: string): void {
  const { administration } = fixture.fleet.fleet;
  const found = fixture.fleet.fleet.node(`node-${name}`);
  if (found.eligibility === 'schedulable') administration.drain(found, { deadlineMs: 0, maxParallel: 1 });
  else if (found.eligibility === 'drained' || found.eligibility === 'draining')
    administration.uncordon(found);
}

function check(fixture: GangFixture, workload: WorkloadRecord, least: number, most: number): void {
  const { fleet } = fixture.fleet;
  const gang = fleet.findWorkload(workload.id)?.gang;
  const members = fixture.members(workload);
  if (gang) {
    expect(members.map(({ rank }) => rank)).toEqual(members.map((_, rank) => rank));
    expect(members.length).toBeGreaterThanOrEqual(least);
    expect(members.length).toBeLessThanOrEqual(most);
    expect(members.every(({ generation }) => generation === gang.generation)).toBe(true);
  }
  for (const name of fixture.names) {
    const devices = fleet.liveAttempts(`node-${name}`).flatMap((attempt) => attempt.devices);
    expect(new Set(devices).size).toBe(devices.length);
  }
  const released = new Set(fixture.takeOrders('release').map(({ attemptId }) => attemptId));
  if (gang?.phase === 'gathering') expect(members.some(({ id }) => released.has(id))).toBe(false);
}

test('in any order of events', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 10, maxLength: 60 }),
      fc.constantFrom(2, 3),
      fc.boolean(),
      async (steps, most, isElastic) => {
        const fixture = await GangFixture.open([3, 2], 2);
        const least = isElastic ? most - 1 : most;
        const workload = await fixture.submit({
          resources: { gpus: 2 },
          gang: { members: most, minMembers: least },
        });
        for (const one of steps) {
          await take(fixture, workload, one);
          check(fixture, workload, least, most);
        }
      },
    ),
    { numRuns: 150 },
  );
}, 60_000);

/** With members other than the first that their machine loses, and new ones that run. */
const stepOfSome: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: step },
  {
    weight: 1,
    arbitrary: fc.constant({ kind: 'report' as const, member: 1, state: 'lost' as const }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      ...{ kind: fc.constant('report' as const), member },
      state: fc.constantFrom('ready' as const, 'running' as const, 'running' as const),
    }),
  },
);

test('in any order of events all that a gang on one NUMA node holds is there', async () => {
  let mended = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(stepOfSome, { minLength: 10, maxLength: 60 }),
      fc.constantFrom(2, 3),
      fc.boolean(),
      async (steps, most, isElastic) => {
        const fixture = await GangFixture.open([3, 2], 6);
        const least = isElastic ? most - 1 : most;
        const workload = await fixture.running({
          resources: { gpus: 1 },
          gang: { members: most, minMembers: least, topology: { level: 'numa' } },
        });
        // So that other NUMA nodes are tighter than that of the gang.
        for (const name of fixture.names)
          await fixture.submit({ resources: { gpus: 2 }, nodeSelector: { node: name } });
        for (const one of steps) {
          const before = fixture.members(workload);
          await take(fixture, workload, one);
          check(fixture, workload, least, most);
          const members = fixture.members(workload);
          const held = members.filter(({ finishedAtMs }) => finishedAtMs === undefined).flatMap(numaNodesOf);
          expect(new Set(held).size).toBeLessThanOrEqual(1);
          mended += members.some(
            ({ id, rank, generation }) =>
              before[rank ?? 0]?.id !== id && before[0]?.generation === generation,
          )
            ? 1
            : 0;
        }
      },
    ),
    { numRuns: 100 },
  );
  expect(mended).toBeGreaterThan(3);
}, 60_000);

/** Of nodes with six GPUs. */
function numaNodesOf({ nodeId, devices }: AttemptRecord): readonly string[] {
  return devices.map((id) => `${nodeId} ${Number(id.split('-').at(-1)) < 3 ? 0 : 1}`);
}
