// Shows the life of a gang: placed as a whole, begun together, ended as one, and what follows a member's
// loss.
import { expect, test } from 'vitest';
import type { WorkloadRecord } from '../../../src/index.ts';
import { status } from '../fleet-fixture.ts';
import { GangFixture } from './gang-fixture.ts';

const SPEC = { resources: { gpus: 4 }, gang: { members: 3 } };

test('all members are placed in one turn, by rank, and none of it if there is no room for all', async () => {
  const fixture = await GangFixture.open([3], 4);
  const workload = await fixture.submit(SPEC);
  expect(fixture.members(workload).map(({ rank }) => rank)).toEqual([0, 1, 2]);
  expect(new Set(fixture.members(workload).map(({ nodeId }) => nodeId)).size).toBe(3);
  expect(fixture.state(workload)).toBe('reserved');
  const second = await fixture.submit({ resources: { gpus: 1 }, gang: { members: 2 } });
  expect(fixture.members(second)).toEqual([]);
  expect(fixture.fleet.fleet.workloadView(second).waiting?.reason).toBe('waiting-for-capacity');
});

test('no program begins before all are ready', async () => {
  const fixture = await GangFixture.open([3], 4);
  const workload = await fixture.submit(SPEC);
  const [first, second, third] = fixture.members(workload);
  if (!first || !second || !third) throw new Error('a member is missing');
  for (const member of [first, second]) fixture.report(member, { state: 'ready' });
  await fixture.fleet.settle();
  expect(fixture.takeOrders('release')).toEqual([]);
  expect(fixture.state(workload)).toBe('preparing');
  fixture.report(third, { state: 'ready' });
  await fixture.fleet.settle();
  expect(fixture.takeOrders('release').map(({ attemptId }) => attemptId)).toEqual([
    first.id,
    second.id,
    third.id,
  ]);
  expect(fixture.state(workload)).toBe('starting');
  await fixture.all(workload, 'running');
  expect(fixture.state(workload)).toBe('running');
});

test('members learn of each other', async () => {
  const fixture = await GangFixture.open([3], 4);
  const workload = await fixture.submit(SPEC);
  const starts = fixture.fleet.orders.flatMap(({ order }) => (order.kind === 'start' ? [order.member] : []));
  const hosts = fixture
    .members(workload)
    .map(({ nodeId }) => nodeId.replace('node-', ''))
    .join(',');
  expect(starts.map((member) => member?.barrier)).toEqual([true, true, true]);
  expect(starts[1]?.environment).toEqual({
    CLAWBERNETES_RANK: '1',
    CLAWBERNETES_MEMBERS: '3',
    CLAWBERNETES_GANG_HOSTS: hosts,
    MASTER_ADDR: hosts.split(',')[0],
    MASTER_PORT: '29500',
    NODE_RANK: '1',
    NNODES: '3',
    PET_MASTER_ADDR: hosts.split(',')[0],
    PET_MASTER_PORT: '29500',
    PET_NODE_RANK: '1',
    PET_NNODES: '3',
    PET_NPROC_PER_NODE: '4',
  });
});

test('it succeeds once all members have ended well', async () => {
  const fixture = await GangFixture.open([3], 4);
  const workload = await fixture.running(SPEC);
  for (const member of fixture.members(workload)) {
    expect(fixture.state(workload)).toBe('running');
    fixture.report(member, { state: 'exited', exitCode: 0, finishedAtMs: 9 });
  }
  await fixture.fleet.settle();
  expect(fixture.state(workload)).toBe('succeeded');
  expect(fixture.fleet.ended).toEqual([workload.id]);
});

test('one that fails ends them all', async () => {
  const fixture = await GangFixture.open([3], 4);
  const workload = await fixture.running(SPEC);
  const [first, second, third] = fixture.members(workload);
  if (!first || !second || !third) throw new Error('a member is missing');
  fixture.takeOrders('stop');
  fixture.report(second, { state: 'exited', exitCode: 3, finishedAtMs: 9 });
  await fixture.fleet.settle();
  expect(fixture.state(workload)).toBe('stopping');
  expect(fixture.takeOrders('stop').map(({ attemptId }) => attemptId)).toEqual([first.id, third.id]);
  for (const member of [first, third])
    fixture.report(member, { state: 'killed', signal: 'SIGTERM', reason: 'stopped', finishedAtMs: 9 });
  await fixture.fleet.settle();
  expect(fixture.fleet.fleet.workloadView(workload)).toMatchObject({ state: 'failed', exitCode: 3 });
});

test('one whose node is away for longer than the grace is replaced in its rack, by one of the same rank', async () => {
  const fixture = await GangFixture.open([4, 2], 4);
  const workload = await fixture.running({
    ...SPEC,
    gang: { members: 3, topology: { level: 'rack', mode: 'required' } },
  });
  const lost = fixture.members(workload)[2];
  if (!lost) throw new Error('a member is missing');
  const name = lost.nodeId.replace('node-', '');
  await fixture.pass(60_000, [name]);
  expect(fixture.state(workload)).toBe('degraded');
  expect(fixture.members(workload)[2]?.id).toBe(lost.id);
  await fixture.pass(50_000, [name]);
  const next = fixture.members(workload)[2];
  expect(next?.id).not.toBe(lost.id);
  expect(next?.rank).toBe(2);
  expect(next?.nodeId).toMatch(/^node-r0/);
  expect(fixture.fleet.fleet.attempt(lost.id)?.evicted?.cause).toBe('node-loss');
  if (next) fixture.report(next, { state: 'running', startedAtMs: 9 });
  await fixture.fleet.settle();
  expect(fixture.state(workload)).toBe('running');
});

test('without room for another all begin anew, once those within reach have ended', async () => {
  const fixture = await GangFixture.open([3, 3], 4);
  const workload = await fixture.running({
    ...SPEC,
    gang: { members: 3, topology: { level: 'rack', mode: 'required' } },
  });
  const [first, second, lost] = fixture.members(workload);
  if (!first || !second || !lost) throw new Error('a member is missing');
  await fixture.pass(110_000, [lost.nodeId.replace('node-', '')]);
  expect(fixture.state(workload)).toBe('stopping');
  for (const member of [first, second])
    fixture.report(member, { state: 'killed', reason: 'stopped', finishedAtMs: 9 });
  await fixture.fleet.settle();
  expect(fixture.state(workload)).toBe('reserved');
  expect(fixture.members(workload).map(({ nodeId }) => nodeId.slice(0, 7))).toEqual(Array(3).fill('node-r1'));
  expect(fixture.members(workload).every(({ generation }) => generation === 2)).toBe(true);
});

test('a member that cannot get ready in time gives all places back', async () => {
  const fixture = await GangFixture.open([3], 4, { gangReadyMs: 30_000 });
  const workload = await fixture.submit(SPEC);
  const [first, second, third] = fixture.members(workload);
  if (!first || !second || !third) throw new Error('a member is missing');
  for (const member of [first, second]) fixture.report(member, { state: 'ready' });
  fixture.report(third, { state: 'preparing' });
  await fixture.pass(40_000);
  expect(fixture.state(workload)).toBe('stopping');
  for (const member of [first, second, third])
    fixture.report(member, { state: 'killed', reason: 'stopped', finishedAtMs: 9 });
  await fixture.fleet.settle();
  expect(fixture.members(workload).every(({ generation }) => generation === 2)).toBe(true);
});

test('a stop ends all members', async () => {
  const fixture = await GangFixture.open([3], 4);
  const workload = await fixture.running(SPEC);
  fixture.takeOrders('stop');
  fixture.fleet.fleet.intake.stop(workload, false);
  await fixture.fleet.settle();
  expect(fixture.takeOrders('stop')).toHaveLength(3);
  for (const member of fixture.members(workload))
    fixture.report(member, { state: 'killed', reason: 'stopped', finishedAtMs: 9 });
  await fixture.fleet.settle();
  expect(fixture.state(workload)).toBe('cancelled');
});

test('an elastic gang begins with what there is, goes on without the lost, and grows again', async () => {
  const fixture = await GangFixture.open([3], 4);
  const workload = await fixture.running({ resources: { gpus: 4 }, gang: { members: 4, minMembers: 2 } });
  expect(fixture.members(workload)).toHaveLength(3);
  const lost = fixture.members(workload)[2];
  if (!lost) throw new Error('a member is missing');
  await fixture.pass(110_000, [lost.nodeId.replace('node-', '')]);
  expect(fixture.state(workload)).toBe('degraded');
  fixture.join('r0n8', 4, 'r0');
  fixture.join('r0n9', 4, 'r0');
  await fixture.pass(20_000, [lost.nodeId.replace('node-', '')]);
  expect(fixture.members(workload)[2]?.id).not.toBe(lost.id);
  expect(fixture.members(workload).map(({ rank }) => rank)).toEqual([0, 1, 2, 3]);
});

test('a gateway that dies between the reservation and the start goes on with the same places', async () => {
  const fixture = await GangFixture.open([3], 4);
  const workload = await fixture.submit(SPEC);
  const placed = fixture.members(workload).map(({ id }) => id);
  await fixture.fleet.crashAndReopen();
  fixture.takeOrders('start');
  for (const name of fixture.names) {
    fixture.fleet.fleet.registry.connected(`node-${name}`);
    fixture.fleet.fleet.reports.offerAgain(`node-${name}`);
  }
  await fixture.fleet.settle();
  expect(fixture.members(workload).map(({ id }) => id)).toEqual(placed);
  expect(
    fixture
      .takeOrders('start')
      .map(({ attemptId }) => attemptId)
      .toSorted(),
  ).toEqual(placed.toSorted());
});

test('several members on one node have ranks and GPUs of their own', async () => {
  const fixture = await GangFixture.open([2], 4);
  const workload = await fixture.submit({ resources: { gpus: 1 }, gang: { members: 6 } });
  const members = fixture.members(workload);
  expect(members.map(({ rank }) => rank)).toEqual([0, 1, 2, 3, 4, 5]);
  expect(new Set(members.flatMap(({ devices }) => devices)).size).toBe(6);
  expect(members.map(({ nodeId }) => nodeId === members[0]?.nodeId)).toEqual([
    ...[true, true, true, true],
    ...[false, false],
  ]);
});

test('a member of a former reservation that comes back is stopped, and changes nothing', async () => {
  const fixture = await GangFixture.open([3, 3], 4);
  const near = { level: 'rack', mode: 'required' } as const;
  const workload = await fixture.running({ ...SPEC, gang: { members: 3, topology: near } });
  const [first, second, lost] = fixture.members(workload);
  if (!first || !second || !lost) throw new Error('a member is missing');
  const name = lost.nodeId.replace('node-', '');
  await fixture.pass(110_000, [name]);
  for (const member of [first, second])
    fixture.report(member, { state: 'killed', reason: 'stopped', finishedAtMs: 9 });
  await fixture.fleet.settle();
  const anew = fixture.members(workload).map(({ id }) => id);
  expect(anew).not.toContain(lost.id);
  fixture.takeOrders('stop');
  fixture.fleet.fleet.registry.connected(lost.nodeId);
  fixture.fleet.fleet.reports.repair(lost.nodeId, [status(lost, { state: 'running', revision: 2 })]);
  await fixture.fleet.settle();
  expect(fixture.takeOrders('stop').map(({ attemptId }) => attemptId)).toEqual([lost.id]);
  fixture.report(lost, { state: 'killed', reason: 'stopped', finishedAtMs: 9 });
  await fixture.fleet.settle();
  expect(fixture.members(workload).map(({ id }) => id)).toEqual(anew);
  expect(fixture.state(workload)).toBe('reserved');
});

test('a gang of which nobody is within reach is left alone', async () => {
  const fixture = await GangFixture.open([1, 3], 4);
  const workload = await fixture.running({ resources: { gpus: 1 }, gang: { members: 3 } });
  const members = fixture.members(workload);
  const name = members[0]?.nodeId.replace('node-', '') ?? '';
  expect(new Set(members.map(({ nodeId }) => nodeId)).size).toBe(1);
  await fixture.pass(200_000, [name]);
  expect(fixture.members(workload).map(({ id }) => id)).toEqual(members.map(({ id }) => id));
  expect(fixture.state(workload)).toBe('degraded');
});

test('members are spread as evenly as they must be, or wait and say where room is short', async () => {
  const fixture = await GangFixture.open([2, 1], 4);
  const spread = { by: 'rack', maxSkew: 1 };
  const even = await fixture.submit({ resources: { gpus: 1 }, gang: { members: 4 }, spread });
  const racks = fixture.members(even).map(({ nodeId }) => nodeId.slice(0, 'node-r0'.length));
  expect(racks.toSorted()).toEqual(['node-r0', 'node-r0', 'node-r1', 'node-r1']);
  const uneven = await fixture.submit({ resources: { gpus: 1 }, gang: { members: 7 }, spread });
  expect(fixture.fleet.fleet.workloadView(uneven).waiting).toMatchObject({
    reason: 'topology',
    message: expect.stringContaining('rack r1 has room for 2') as string,
  });
  const preferred = { ...spread, mode: 'preferred' } as const;
  const rest = await fixture.submit({ resources: { gpus: 1 }, gang: { members: 7 }, spread: preferred });
  expect(fixture.members(rest)).toHaveLength(7);
});

test('a stop by force gives up the member on a node out of reach, and kills the others', async () => {
  const fixture = await GangFixture.open([3], 4);
  const workload = await fixture.running(SPEC);
  const [first, second, lost] = fixture.members(workload);
  if (!first || !second || !lost) throw new Error('a member is missing');
  await fixture.pass(50_000, [lost.nodeId.replace('node-', '')]);
  fixture.fleet.fleet.intake.stop(fixture.fleet.fleet.workload('default', workload.id), true);
  await fixture.fleet.settle();
  expect(fixture.fleet.fleet.attempt(lost.id)?.state).toBe('lost');
  for (const member of [first, second])
    fixture.report(member, { state: 'killed', reason: 'stopped', finishedAtMs: 9 });
  await fixture.fleet.settle();
  expect(fixture.state(workload)).toBe('cancelled');
});

test('nobody is given up while so many nodes are silent that our own network is the likelier culprit', async () => {
  const fixture = await GangFixture.open([10], 4);
  const workload = await fixture.running({ resources: { gpus: 4 }, gang: { members: 6 } });
  const members = fixture.members(workload);
  const silent = members.slice(1).map(({ nodeId }) => nodeId.replace('node-', ''));
  await fixture.pass(200_000, silent);
  expect(fixture.fleet.fleet.freeze).toBeDefined();
  expect(fixture.members(workload).map(({ id }) => id)).toEqual(members.map(({ id }) => id));
  expect(fixture.members(workload).every(({ evicted }) => evicted === undefined)).toBe(true);
});

test('who takes the place of a lost member of a spread gang goes where that one was, near or not', async () => {
  const fixture = await GangFixture.open([], 4);
  const powers = { r0n0: 'a', r0n1: 'b', r0n2: 'a', r0n3: 'b', r1n0: 'a', r1n1: 'b' };
  for (const [name, power] of Object.entries(powers)) fixture.join(name, 4, name.slice(0, 2), { power });
  await fixture.fleet.settle();
  const holders = new Map<string, WorkloadRecord>();
  for (const node of ['r0n2', 'r0n3', 'r1n0', 'r1n1'])
    holders.set(node, await fixture.submit({ resources: { gpus: 4 }, nodeSelector: { node } }));
  const spread = { by: 'power', maxSkew: 1 };
  const workload = await fixture.running({ resources: { gpus: 4 }, gang: { members: 2 }, spread });
  const power = (nodeId = ''): string => powers[nodeId.replace('node-', '') as keyof typeof powers];
  const lost = fixture.members(workload)[1];
  // Beside it there is room on the other power only; on its own, in the other rack.
  for (const node of power(lost?.nodeId) === 'a' ? ['r0n3', 'r1n0'] : ['r0n2', 'r1n1']) {
    const holder = holders.get(node);
    if (!holder) throw new Error(`nobody holds ${node}`);
    fixture.report(fixture.fleet.attemptOf(holder), { state: 'exited', exitCode: 0, finishedAtMs: 9 });
  }
  await fixture.pass(110_000, [lost?.nodeId.replace('node-', '') ?? '']);
  const next = fixture.members(workload)[1];
  expect(next?.id).not.toBe(lost?.id);
  expect(power(next?.nodeId)).toBe(power(lost?.nodeId));
});
