// Shows that queues treat a gang that asks for one NUMA node as what it is: others make room for it there and
// nowhere else, its place is kept for when enough of one has ended, and reservations hold or keep it away.
import { reservationRequestSchema } from '@clawbernetes/protocol';
import { expect, test } from 'vitest';
import type { WorkloadRecord } from '../../src/index.ts';
import { QueueFleet } from './queue-fleet.ts';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const numa = { level: 'numa', mode: 'required' } as const;

/** Numbers of GPUs; four of eight are on each NUMA node. */
function gpusOf(fleet: QueueFleet, work: WorkloadRecord): readonly number[] {
  const attempts = work.spec.gang ? fleet.fleet.members(work.id) : [fleet.fixture.attemptOf(work)];
  return attempts.flatMap(({ devices }) => devices.map((id) => Number(id.split('-').at(-1))));
}

function numaOf(gpu: number): number {
  return gpu < 4 ? 0 : 1;
}

test('for a gang on one NUMA node those on one that may all go do, and none on the other', async () => {
  const fleet = await QueueFleet.open({});
  fleet.fixture.join('a', 8);
  const firm = fleet.submit('default', 1, { priority: 5 });
  const works = Array.from({ length: 7 }, () => fleet.submit('default', 1, { priority: -5 }));
  await fleet.settle();
  fleet.runAll();
  const [kept = 0] = gpusOf(fleet, firm);
  const inTheWay = works.filter((work) => numaOf(gpusOf(fleet, work)[0] ?? 0) !== numaOf(kept));
  expect(inTheWay).toHaveLength(4);
  const gang = fleet.submit('default', 1, { priority: 5, gang: { members: 4, topology: numa } });
  await fleet.settle(3000);
  expect(works.filter((work) => fleet.states(work)[0] === 'preempting')).toEqual(inTheWay);
  fleet.endStopped();
  await fleet.settle(1000);
  expect(fleet.states(gang)).toEqual(['reserved']);
  expect(new Set(gpusOf(fleet, gang).map(numaOf))).toEqual(new Set([1 - numaOf(kept)]));
  await fleet.close();
});

test('nobody goes where no NUMA node would hold it all the same', async () => {
  const fleet = await QueueFleet.open({});
  fleet.fixture.join('a', 8);
  const firm = [0, 1].map(() => fleet.submit('default', 3, { priority: 5 }));
  const works = [0, 1].map(() => fleet.submit('default', 1, { priority: -5 }));
  await fleet.settle();
  fleet.runAll();
  expect(firm.map((work) => new Set(gpusOf(fleet, work).map(numaOf)).size)).toEqual([1, 1]);
  fleet.submit('default', 1, { priority: 5, gang: { members: 2, topology: numa } });
  await fleet.settle(30_000);
  expect(fleet.states(...works)).toEqual(['running', 'running']);
  await fleet.close();
});

test('its place is kept for when enough of one NUMA node has ended, not of the node', async () => {
  const fleet = await QueueFleet.open({});
  fleet.fixture.join('a', 8);
  const works = [1, 3, 2, 4].map((hours) => fleet.submit('default', 2, { timeoutMs: hours * HOUR_MS }));
  await fleet.settle();
  fleet.runAll();
  expect(works.map((work) => gpusOf(fleet, work).map(numaOf))).toEqual([
    ...[
      [0, 0],
      [0, 0],
      [1, 1],
      [1, 1],
    ],
  ]);
  const gang = fleet.submit('default', 1, { gang: { members: 3, topology: numa } });
  await fleet.settle(3000);
  const { waiting } = fleet.fleet.questions.why(gang, []);
  const inMs = (waiting?.start.toMs ?? 0) - fleet.fixture.clock.nowMs();
  expect(inMs).toBeGreaterThan(3 * HOUR_MS - MINUTE_MS);
  expect(inMs).toBeLessThan(3 * HOUR_MS + MINUTE_MS);
  const [first, second] = works;
  if (!first || !second) throw new Error('nothing runs');
  fleet.end(first);
  await fleet.settle(1000);
  const long = fleet.submit('default', 1);
  await fleet.settle(3000);
  expect(fleet.states(gang)).toEqual(['queued']);
  fleet.end(second);
  await fleet.settle(1000);
  expect(fleet.states(gang)).toEqual(['reserved']);
  expect(gpusOf(fleet, gang).map(numaOf)).toEqual([0, 0, 0]);
  expect(fleet.states(long)).toEqual(['reserved']);
  await fleet.close();
});

test('reserved GPUs take the gangs of their queues, and keep others away', async () => {
  const fleet = await QueueFleet.open({ r: {}, s: {} });
  fleet.fixture.join('a', 8);
  await fleet.settle();
  const request = { name: 'res', start: 'now', durationMs: HOUR_MS, gpus: 4, queues: ['r'] };
  fleet.fleet.reservations.create(reservationRequestSchema.parse(request));
  const all = { gang: { members: 4, topology: numa } };
  const [foreign, late, own] = [
    fleet.submit('s', 1, all),
    fleet.submit('s', 1, all),
    fleet.submit('r', 1, all),
  ];
  await fleet.settle(2000);
  expect(fleet.states(foreign, late, own)).toEqual(['reserved', 'queued', 'reserved']);
  expect(new Set(gpusOf(fleet, own).map(numaOf)).size).toBe(1);
  expect(new Set([...gpusOf(fleet, own), ...gpusOf(fleet, foreign)]).size).toBe(8);
  await fleet.close();
});
