// Shows that a gang that asks for one NUMA node, or one NVLink island, of a node begins, mends, grows and
// waits on it.
import { expect, test } from 'vitest';
import type { NodeInventory } from '@clawbernetes/protocol';
import type { AttemptRecord, WorkloadRecord } from '../../../src/index.ts';
import { codeOf, inventory } from '../fleet-fixture.ts';
import { GangFixture } from './gang-fixture.ts';

const numa = { topology: { level: 'numa' } } as const;
const gpu = { gpus: 1, cpuMilli: 10, memoryMib: 4 };

/** Numbers of the GPUs of the members, by rank; of all others with `of`. */
function gpusOf(members: readonly AttemptRecord[]): readonly number[] {
  return members.flatMap(({ devices }) => devices.map((id) => Number(id.split('-').at(-1))));
}

function placesOf(fixture: GangFixture, gang: WorkloadRecord): readonly number[] {
  return gpusOf(fixture.members(gang));
}

/** Of GPUs 0 and 1, and 2 and 3: joined by NVLink. */
function bridged(name: string): Partial<NodeInventory> {
  const { gpus } = inventory(name, 4);
  const links = [
    [0, 1],
    [2, 3],
  ].flatMap(([from = 0, to = 0]) => [
    { from: gpus[from]!.id, to: gpus[to]!.id, link: 'NV' as const, width: 4 },
    { from: gpus[to]!.id, to: gpus[from]!.id, link: 'NV' as const, width: 4 },
  ]);
  return { gpus, gpuLinks: links };
}

test('it begins on one NUMA node, in the order of its GPUs, or waits though the node has room', async () => {
  const fixture = await GangFixture.open([1], 6);
  const first = await fixture.running({ resources: { ...gpu, gpus: 2 } });
  const gang = await fixture.running({ resources: gpu, gang: { members: 3, ...numa } });
  expect(placesOf(fixture, gang)).toEqual([3, 4, 5]);
  expect(fixture.fleet.fleet.workloadView(gang).gang).toMatchObject({ level: 'numa', running: 3 });
  const other = await fixture.submit({ resources: gpu, gang: { members: 3, ...numa } });
  const { waiting } = fixture.fleet.fleet.workloadView(other);
  expect(waiting?.reason).toBe('waiting-for-capacity');
  expect(waiting?.message).toContain('r0n0/NUMA node 0, which has most room, takes 1 now, 2 too few');
  fixture.fleet.report(fixture.fleet.attemptOf(first), { state: 'exited', exitCode: 0, revision: 9 });
  await fixture.fleet.settle();
  expect(placesOf(fixture, other)).toEqual([0, 1, 2]);
});

test('one that waits for its level alone is told so, with what would help', async () => {
  const fixture = await GangFixture.open([1], 6);
  const two = { resources: gpu, gang: { members: 2, ...numa } };
  for (const gang of [await fixture.submit(two), await fixture.submit(two)])
    expect(fixture.state(gang)).toBe('reserved');
  const gang = await fixture.submit(two);
  const { waiting } = fixture.fleet.fleet.questions.why(gang, []);
  expect(waiting?.reason).toBe('topology');
  expect(waiting?.message).toContain('2 members on one NUMA node');
  expect(waiting?.message).toContain('2 fit into the fleet: ask for a wider level');
  expect(waiting?.remedies.map(({ message }) => message)).toContain(
    'Only prefer one NUMA node for all (--topology numa=preferred).',
  );
  const preferring = await fixture.submit({
    ...{ resources: gpu, gang: { members: 2, topology: { level: 'numa', mode: 'preferred' } } },
  });
  expect(fixture.fleet.fleet.workloadView(preferring).gang?.level).toBe('node');
});

test('one that fits on no part of any node is told so, as is one of which not even a member does', async () => {
  const fixture = await GangFixture.open([1], 6);
  const many = await fixture.submit({ resources: gpu, gang: { members: 4, ...numa } });
  expect(fixture.fleet.fleet.workloadView(many).waiting).toMatchObject({
    reason: 'never-fits',
    message: expect.stringContaining('r0n0/NUMA node 0, which has most room, takes 3 when empty') as string,
  });
  const large = await fixture.submit({ resources: { ...gpu, gpus: 4 }, gang: { members: 1, ...numa } });
  const { waiting } = fixture.fleet.fleet.questions.why(large, []);
  expect(waiting?.reason).toBe('never-fits');
  expect(waiting?.message).toContain('no node has so many on one NUMA node; the most are 3 (r0n0)');
  expect(waiting?.obstacles).toMatchObject([{ code: 'gpus-apart', what: 'NUMA node', nodes: 1 }]);
});

test('members that ask for a share are packed onto the GPUs of one island', async () => {
  const fixture = await GangFixture.open([], 0);
  fixture.fleet.join('a', 4, bridged('a'));
  await fixture.fleet.settle();
  const taken = await fixture.submit({ resources: { ...gpu, gpus: 1 } });
  const island = { topology: { level: 'nvlink-island' } } as const;
  const gang = await fixture.submit({
    resources: { gpuMilli: 400, cpuMilli: 10, memoryMib: 4 },
    gang: { members: 4, ...island },
  });
  const [first = 0] = gpusOf([fixture.fleet.attemptOf(taken)]);
  const free = first < 2 ? [2, 2, 3, 3] : [0, 0, 1, 1];
  expect(placesOf(fixture, gang)).toEqual(free);
  expect(fixture.fleet.fleet.workloadView(gang).gang?.level).toBe('nvlink-island');
});

/** The GPUs of these numbers have a fault that takes them out of use. */
function breakGpus(fixture: GangFixture, name: string, numbers: readonly number[]): void {
  const whole = inventory(name, 8);
  const fault = {
    key: 'xid-79@1',
    kind: 'xid',
    code: 79,
    action: 'drain-reboot',
    message: 'Xid 79.',
  } as const;
  const health = { state: 'unhealthy' as const, reason: 'Xid 79.' };
  const gpus = whole.gpus.map((one) =>
    numbers.includes(one.index) ? { ...one, health, faults: [fault] } : one,
  );
  fixture.fleet.fleet.registry.changeInventory(`node-${name}`, { ...whole, gpus });
}

test.each([
  { mode: 'required', places: [4, 5], generation: 2 },
  { mode: 'preferred', places: [0, 4], generation: 1 },
] as const)(
  'a member that is lost is replaced beside the others; where there is no room and it is $mode, $places',
  async ({ mode, places, generation }) => {
    const fixture = await GangFixture.open([1], 8);
    const topology = { level: 'numa', mode } as const;
    const gang = await fixture.running({ resources: gpu, gang: { members: 2, topology } });
    const lost: number[] = [];
    const loseSecond = async (): Promise<void> => {
      lost.push(placesOf(fixture, gang)[1] ?? -1);
      breakGpus(fixture, 'r0n0', lost);
      await fixture.pass(1000);
      for (const member of fixture.members(gang))
        if (member.evicted) fixture.report(member, { state: 'killed', reason: 'stopped', finishedAtMs: 9 });
      await fixture.pass(2000);
    };
    for (let left = 2; left > 0; left -= 1) {
      await loseSecond();
      expect(fixture.members(gang).map((member) => member.generation)).toEqual([1, 1]);
      expect(Math.max(...placesOf(fixture, gang))).toBeLessThan(4);
      await fixture.all(gang, 'ready');
      await fixture.all(gang, 'running');
    }
    await loseSecond();
    for (const member of fixture.members(gang))
      if (member.evicted) fixture.report(member, { state: 'killed', reason: 'stopped', finishedAtMs: 9 });
    await fixture.pass(2000);
    expect(fixture.members(gang).map((member) => member.generation)).toEqual([generation, generation]);
    expect(placesOf(fixture, gang)).toEqual(places);
  },
);

test('it grows on the NUMA node of the others only', async () => {
  const fixture = await GangFixture.open([1], 8);
  const blocker = await fixture.submit({ resources: { ...gpu, gpus: 2 } });
  const gang = await fixture.submit({ resources: gpu, gang: { members: 4, minMembers: 3, ...numa } });
  expect(placesOf(fixture, gang)).toEqual([4, 5, 6, 7]);
  const other = await fixture.running({ resources: gpu, gang: { members: 3, minMembers: 1, ...numa } });
  expect(placesOf(fixture, other)).toEqual([2, 3]);
  for (const member of fixture.members(gang))
    fixture.report(member, { state: 'exited', exitCode: 0, finishedAtMs: 9 });
  await fixture.pass(5000);
  expect(placesOf(fixture, other)).toEqual([2, 3]);
  fixture.fleet.report(fixture.fleet.attemptOf(blocker), { state: 'exited', exitCode: 0, revision: 9 });
  await fixture.pass(5000);
  const grown = placesOf(fixture, other);
  expect(grown).toHaveLength(3);
  expect(Math.max(...grown)).toBeLessThan(4);
});

test('what no part of a node means is refused by name', async () => {
  const fixture = await GangFixture.open([1], 4);
  const refused = (spec: Parameters<GangFixture['submit']>[0]): unknown =>
    codeOf(() => fixture.fleet.submit(spec));
  expect(refused({ gang: { members: 2, ...numa } })).toBe('not-supported');
  const island = { members: 2, topology: { level: 'nvlink-island', mode: 'preferred' } } as const;
  expect(refused({ resources: { gpus: 1, migProfile: '1g.10gb' }, gang: island })).toBe('not-supported');
  expect(
    refused({ resources: { gpus: 1, migProfile: '1g.10gb' }, gang: { members: 2, ...numa } }),
  ).toBeUndefined();
  expect(refused({ resources: gpu, gang: island })).toBeUndefined();
});
