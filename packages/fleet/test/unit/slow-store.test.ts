// Shows that no more is placed ahead of a slow store than the limit says, and that all is placed in the end.
import { expect, test } from 'vitest';
import type { WorkloadRecord } from '../../src/index.ts';
import { FleetFixture } from './fleet-fixture.ts';

const OPTIONS = { maxPlacedAhead: 6, placementsPerTurn: 4 };
/** The last turn before the limit is reached goes beyond it. */
const MOST_AHEAD = OPTIONS.maxPlacedAhead + OPTIONS.placementsPerTurn - 1;
const WORKLOADS = 50;

async function setUp(commitMs: number) {
  const fixture = await FleetFixture.open(OPTIONS);
  const node = fixture.join('a');
  await fixture.settle();
  fixture.disk.setLatency({ minMs: commitMs, maxMs: commitMs });
  const resources = { cpuMilli: 10, memoryMib: 4 };
  const works = Array.from({ length: WORKLOADS }, () => fixture.submit({ resources }));
  return { fixture, node, works };
}

function ahead({ fixture, node }: { readonly fixture: FleetFixture; readonly node: string }): number {
  return fixture.fleet.liveAttempts(node).length - fixture.orders.length;
}

function states(fixture: FleetFixture, works: readonly WorkloadRecord[]): Set<string> {
  return new Set(works.map((work) => fixture.state(work)));
}

test('a store that takes its time is not left behind by more than the limit', async () => {
  const { fixture, node, works } = await setUp(100);
  let most = 0;
  for (let passedMs = 0; fixture.orders.length < WORKLOADS; passedMs += 10) {
    expect(passedMs).toBeLessThan(60_000);
    await fixture.settle(10);
    most = Math.max(most, ahead({ fixture, node }));
  }
  expect(most).toBeGreaterThanOrEqual(OPTIONS.maxPlacedAhead);
  expect(most).toBeLessThanOrEqual(MOST_AHEAD);
  expect(states(fixture, works)).toEqual(new Set(['reserved']));
});

test('nothing more is placed while nothing is stored, and all of it after a crash', async () => {
  const fixture = await FleetFixture.open(OPTIONS);
  const node = fixture.join('a', 0, {}, false);
  const resources = { cpuMilli: 10, memoryMib: 4 };
  const works = Array.from({ length: WORKLOADS }, () => fixture.submit({ resources }));
  await fixture.settle(1000);
  fixture.disk.setLatency({ minMs: 1e9, maxMs: 1e9 });
  fixture.fleet.registry.approve(fixture.fleet.node('a'));
  await fixture.settle(60_000);
  expect(ahead({ fixture, node })).toBeGreaterThanOrEqual(OPTIONS.maxPlacedAhead);
  expect(ahead({ fixture, node })).toBeLessThanOrEqual(MOST_AHEAD);
  fixture.disk.setLatency({ minMs: 1, maxMs: 1 });
  await fixture.crashAndReopen(OPTIONS);
  expect(states(fixture, works)).toEqual(new Set(['queued']));
  fixture.connect(node);
  fixture.fleet.registry.approve(fixture.fleet.node('a'));
  await fixture.settle(1000);
  expect(states(fixture, works)).toEqual(new Set(['reserved']));
});

test('how many are in each state is told without a count', async () => {
  const { fixture, works } = await setUp(1);
  await fixture.settle(1000);
  const [first, second] = works;
  for (const work of [first, second].filter((one) => one !== undefined))
    fixture.report(fixture.attemptOf(work), { state: 'exited', exitCode: 0, revision: 1 });
  await fixture.settle(1000);
  expect(fixture.fleet.workloadCounts('default')).toEqual({ reserved: WORKLOADS - 2, succeeded: 2 });
  expect(fixture.fleet.workloadCounts('other')).toEqual({});
  await fixture.crashAndReopen({ ...OPTIONS, retainEnded: 1 });
  await fixture.settle(60_000);
  expect(fixture.fleet.workloadCounts('default')).toMatchObject({ succeeded: 1 });
});
