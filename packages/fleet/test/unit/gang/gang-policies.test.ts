// Shows that a gang restarts as a whole where it was, is rescheduled or replaced as a whole, and spends one
// try for each incident, over crashes of the gateway too.
import { expect, test } from 'vitest';
import type { AttemptRecord, WorkloadRecord } from '../../../src/index.ts';
import { status } from '../fleet-fixture.ts';
import { GangFixture, type GangSpec } from './gang-fixture.ts';

const SPEC = { resources: { gpus: 4 }, gang: { members: 3 } };
const RESTART = { restart: { attempts: 2, delayMs: 5000, maxDelayMs: 5000 } };

function places(members: readonly AttemptRecord[]): string[] {
  return members.map(({ nodeId, devices }) => `${nodeId}: ${devices.join()}`);
}

/** One fails by itself, and the others are stopped for it. */
async function fail(fixture: GangFixture, workload: WorkloadRecord, rank = 1): Promise<void> {
  const members = fixture.members(workload);
  const chosen = members[rank];
  if (!chosen) throw new Error(`there is no rank ${rank}`);
  const finishedAtMs = fixture.fleet.clock.nowMs();
  fixture.report(chosen, { state: 'exited', exitCode: 7, startedAtMs: finishedAtMs - 1, finishedAtMs });
  await fixture.fleet.settle();
  for (const member of fixture.members(workload))
    if (member.finishedAtMs === undefined)
      fixture.report(member, { state: 'killed', reason: 'stopped', finishedAtMs });
  await fixture.fleet.settle();
}

async function begin(fixture: GangFixture, workload: WorkloadRecord): Promise<void> {
  await fixture.all(workload, 'ready');
  await fixture.all(workload, 'running');
}

function budgets(fixture: GangFixture, workload: WorkloadRecord): unknown {
  return fixture.fleet.fleet.workloadView(workload).budgets;
}

function waitingMessage(fixture: GangFixture, workload: WorkloadRecord): string {
  return fixture.fleet.fleet.workloadView(workload).waiting?.message ?? '';
}

test('after a failure all begin anew in their places, behind a barrier, though others wait for these', async () => {
  const fixture = await GangFixture.open([4], 4);
  const workload = await fixture.running({ ...SPEC, ...RESTART });
  const before = fixture.members(workload);
  const filler = await fixture.submit({ resources: { gpus: 4 } });
  const rival = await fixture.submit({ resources: { gpus: 4 } });
  expect(fixture.state(filler)).toBe('reserved');
  fixture.takeOrders('start');
  await fail(fixture, workload);
  expect(fixture.state(workload)).toBe('queued');
  expect(waitingMessage(fixture, workload)).toMatch(
    /^It begins anew as a whole on the nodes that it had in 5\.0s \(restart 1 of 2\)\. Its places/,
  );
  expect(fixture.state(rival)).toBe('queued');
  await fixture.pass(5000);
  const after = fixture.members(workload);
  expect(places(after)).toEqual(places(before));
  expect(after.map(({ rank, generation }) => [rank, generation])).toEqual([0, 1, 2].map((rank) => [rank, 2]));
  expect(new Set(after.map(({ epoch }) => `${epoch.term}.${epoch.counter}`)).size).toBe(1);
  expect(after[0]?.epoch).not.toEqual(before[0]?.epoch);
  expect(fixture.takeOrders('start')).toHaveLength(3);
  expect(fixture.takeOrders('release')).toEqual([]);
  await begin(fixture, workload);
  expect(fixture.state(workload)).toBe('running');
  expect(fixture.state(rival)).toBe('queued');
  expect(budgets(fixture, workload)).toEqual({ restart: { attempts: 2, spent: 1 } });
});

test('several members that fail are one incident; after the last try it ends with the first exit code', async () => {
  const fixture = await GangFixture.open([3], 4);
  const workload = await fixture.running({ ...SPEC, restart: { attempts: 1, delayMs: 0 } });
  const failAll = async (): Promise<void> => {
    for (const member of fixture.members(workload))
      fixture.report(member, { state: 'exited', exitCode: 7, finishedAtMs: 9 });
    await fixture.fleet.settle();
  };
  await failAll();
  expect(budgets(fixture, workload)).toEqual({ restart: { attempts: 1, spent: 1 } });
  await begin(fixture, workload);
  await failAll();
  expect(fixture.fleet.fleet.workloadView(workload)).toMatchObject({ state: 'failed', exitCode: 7 });
  const events = await fixture.fleet.fleet.events({ from: 1, limit: 1000, subject: workload.id });
  expect(events.find(({ type }) => type === 'workload.failed')?.message).toMatch(
    /rank 0: exit code 7\. Its restarts are used up \(1\)\.$/,
  );
});

test('a crash of the gateway while it waits spends nothing, and the places are kept again', async () => {
  const fixture = await GangFixture.open([3], 4);
  const workload = await fixture.running({ ...SPEC, ...RESTART });
  const before = fixture.members(workload);
  await fail(fixture, workload);
  await fixture.fleet.crashAndReopen();
  for (const name of fixture.names) fixture.fleet.connect(`node-${name}`);
  const rival = await fixture.submit({ resources: { gpus: 4 } });
  expect(fixture.state(rival)).toBe('queued');
  await fixture.pass(5000);
  expect(places(fixture.members(workload))).toEqual(places(before));
  expect(budgets(fixture, workload)).toEqual({ restart: { attempts: 2, spent: 1 } });
});

test('a crash while its members are being stopped decides nothing twice', async () => {
  const fixture = await GangFixture.open([3], 4);
  const workload = await fixture.running({ ...SPEC, ...RESTART });
  const [first, second, third] = fixture.members(workload);
  if (!first || !second || !third) throw new Error('a member is missing');
  fixture.report(second, { state: 'exited', exitCode: 7, finishedAtMs: 9 });
  await fixture.fleet.settle();
  await fixture.fleet.crashAndReopen();
  for (const name of fixture.names) fixture.fleet.connect(`node-${name}`);
  const rival = await fixture.submit({ resources: { gpus: 4 } });
  for (const member of [first, third])
    fixture.report(member, { state: 'killed', reason: 'stopped', finishedAtMs: 9 });
  await fixture.fleet.settle();
  expect(fixture.state(rival)).toBe('queued');
  await fixture.pass(6000);
  expect(places(fixture.members(workload))).toEqual(places([first, second, third]));
  expect(budgets(fixture, workload)).toEqual({ restart: { attempts: 2, spent: 1 } });
});

test('where its places are not free in time it begins wherever there is room', async () => {
  const fixture = await GangFixture.open([4], 4);
  const workload = await fixture.running({ ...SPEC, ...RESTART });
  const away = fixture.members(workload)[2]?.nodeId ?? '';
  // Its node is suspect by then, and heard once more with the report of the end.
  await fixture.pass(25_000, [away.replace('node-', '')]);
  await fail(fixture, workload);
  await fixture.pass(60_000, [away.replace('node-', '')]);
  expect(fixture.state(workload)).toBe('queued');
  expect(waitingMessage(fixture, workload)).toContain('on the nodes that it had (restart 1 of 2)');
  const { waiting } = fixture.fleet.fleet.questions.why(workload, []);
  const nowMs = fixture.fleet.clock.nowMs();
  expect(waiting).toMatchObject({ reason: 'delayed', start: { fromMs: nowMs, toMs: nowMs + 60_000 } });
  await fixture.pass(20_000, [away.replace('node-', '')]);
  expect(fixture.state(workload)).toBe('reserved');
  expect(fixture.members(workload).map(({ nodeId }) => nodeId)).not.toContain(away);
  expect(budgets(fixture, workload)).toEqual({ restart: { attempts: 2, spent: 1 } });
});

test('on a node that has got a taint meanwhile it does not begin anew, but elsewhere in the end', async () => {
  const fixture = await GangFixture.open([4], 4);
  const workload = await fixture.running({ ...SPEC, ...RESTART });
  const tainted = fixture.members(workload)[2]?.nodeId ?? '';
  await fail(fixture, workload);
  const { fleet } = fixture.fleet;
  const add = [{ key: 'k', value: '', effect: 'no-schedule' as const }];
  fleet.administration.taint(fleet.node(tainted), { add, remove: [] });
  await fixture.pass(20_000);
  expect(fixture.state(workload)).toBe('queued');
  await fixture.pass(60_000);
  expect(fixture.state(workload)).toBe('reserved');
  expect(fixture.members(workload).map(({ nodeId }) => nodeId)).not.toContain(tainted);
});

test('a longer delay than places are kept for leaves them to others meanwhile', async () => {
  const fixture = await GangFixture.open([3], 4);
  const long = { restart: { attempts: 1, delayMs: 200_000, maxDelayMs: 200_000 } };
  const workload = await fixture.running({ ...SPEC, ...long });
  const before = places(fixture.members(workload));
  await fail(fixture, workload);
  const other = await fixture.submit({ resources: { gpus: 4 } });
  expect(fixture.state(other)).toBe('reserved');
  fixture.report(fixture.fleet.attemptOf(other), { state: 'exited', exitCode: 0, finishedAtMs: 9 });
  await fixture.pass(201_000);
  expect(places(fixture.members(workload))).toEqual(before);
});

test.each(['requeue', 'end'] as const)(
  'a drain of a node that it waits for, evicted: %s',
  async (evicted) => {
    const fixture = await GangFixture.open([4], 4);
    const workload = await fixture.running({ ...SPEC, ...RESTART, reschedule: { evicted } });
    const left = fixture.members(workload)[0]?.nodeId ?? '';
    await fail(fixture, workload);
    fixture.fleet.fleet.administration.drain(fixture.fleet.fleet.node(left));
    await fixture.pass(6000);
    expect(fixture.state(workload)).toBe(evicted === 'end' ? 'failed' : 'reserved');
    if (evicted === 'requeue')
      expect(fixture.members(workload).map(({ nodeId }) => nodeId)).not.toContain(left);
  },
);

test('a stop ends one that waits for its places, and others get them', async () => {
  const fixture = await GangFixture.open([3], 4);
  const workload = await fixture.running({ ...SPEC, ...RESTART });
  await fail(fixture, workload);
  const rival = await fixture.submit({ resources: { gpus: 4 } });
  expect(fixture.state(rival)).toBe('queued');
  fixture.fleet.fleet.intake.stop(fixture.fleet.fleet.workload('default', workload.id), false);
  await fixture.pass(1000);
  expect(fixture.state(workload)).toBe('cancelled');
  expect(fixture.state(rival)).toBe('reserved');
});

test('once no restarts are left all go elsewhere: never to the node of the member that failed', async () => {
  const fixture = await GangFixture.open([4], 4);
  const workload = await fixture.running({ ...SPEC, reschedule: { attempts: 1, delayMs: 0 } });
  const bad = fixture.members(workload)[1]?.nodeId;
  await fail(fixture, workload);
  expect(fixture.state(workload)).toBe('reserved');
  expect(fixture.members(workload).map(({ nodeId }) => nodeId)).not.toContain(bad);
  await begin(fixture, workload);
  await fail(fixture, workload);
  expect(fixture.state(workload)).toBe('failed');
});

test('a time limit ends it for good, whatever is left to try', async () => {
  const fixture = await GangFixture.open([3], 4);
  const workload = await fixture.running({ ...SPEC, ...RESTART, timeoutMs: 1000 });
  for (const member of fixture.members(workload))
    fixture.report(member, { state: 'killed', reason: 'timeout', finishedAtMs: 9 });
  await fixture.fleet.settle();
  expect(fixture.state(workload)).toBe('failed');
});

test('one that always restarts does so after a good end of all, and then has ended well', async () => {
  const fixture = await GangFixture.open([3], 4);
  const spec: GangSpec = { ...SPEC, restart: { attempts: 1, delayMs: 0, on: 'always' } };
  const workload = await fixture.running(spec);
  const endWell = async (): Promise<void> => {
    for (const member of fixture.members(workload))
      fixture.report(member, { state: 'exited', exitCode: 0, finishedAtMs: 9 });
    await fixture.fleet.settle();
  };
  const before = places(fixture.members(workload));
  await endWell();
  expect(places(fixture.members(workload))).toEqual(before);
  await begin(fixture, workload);
  await endWell();
  expect(fixture.state(workload)).toBe('succeeded');
});

test('members that are lost together spend one replacement, and the next ones another', async () => {
  const fixture = await GangFixture.open([8], 4);
  const workload = await fixture.running({ ...SPEC, replace: { attempts: 2, delayMs: 0 } });
  const lose = async (ranks: readonly number[]): Promise<void> => {
    for (const rank of ranks) {
      const lost = fixture.members(workload)[rank];
      if (lost) fixture.report(lost, { state: 'lost', reason: 'supervisor-lost', finishedAtMs: 9 });
      await fixture.pass(1000);
    }
    await fixture.all(workload, 'running');
  };
  await lose([1, 2]);
  expect(fixture.members(workload).map(({ generation }) => generation)).toEqual([1, 1, 1]);
  expect(budgets(fixture, workload)).toEqual({ replace: { attempts: 2, spent: 1 } });
  await fixture.pass(60_000);
  await lose([2]);
  expect(budgets(fixture, workload)).toEqual({ replace: { attempts: 2, spent: 2 } });
  await fixture.pass(60_000);
  await lose([1]);
  for (const member of fixture.members(workload))
    if (member.finishedAtMs === undefined)
      fixture.report(member, { state: 'killed', reason: 'stopped', finishedAtMs: 9 });
  await fixture.fleet.settle();
  expect(fixture.state(workload)).toBe('failed');
  const view = fixture.fleet.fleet.workloadView(workload);
  expect(view.budgets).toEqual({ replace: { attempts: 2, spent: 2 } });
});

test('without rank 0 all begin anew, which spends a replacement; without a network it is replaced', async () => {
  for (const network of ['host', 'none'] as const) {
    const fixture = await GangFixture.open([4], 4);
    const workload = await fixture.running({ ...SPEC, network, replace: { attempts: 1, delayMs: 0 } });
    const [first, ...others] = fixture.members(workload);
    if (!first) throw new Error('there is no rank 0');
    fixture.report(first, { state: 'lost', reason: 'supervisor-lost', finishedAtMs: 9 });
    await fixture.pass(1000);
    expect(fixture.state(workload)).toBe(network === 'host' ? 'stopping' : 'running');
    if (network === 'host')
      for (const member of others)
        fixture.report(member, { state: 'killed', reason: 'stopped', finishedAtMs: 9 });
    await fixture.fleet.settle();
    const generation = network === 'host' ? 2 : 1;
    expect(fixture.members(workload).every((one) => one.generation === generation)).toBe(true);
    expect(budgets(fixture, workload)).toEqual({ replace: { attempts: 1, spent: 1 } });
  }
});

test('without a network members learn who they are, and nothing of the others', async () => {
  const fixture = await GangFixture.open([3], 4);
  await fixture.submit({ ...SPEC, network: 'none' });
  const starts = fixture.fleet.orders.flatMap(({ order }) => (order.kind === 'start' ? [order.member] : []));
  expect(starts[2]?.environment).toEqual({
    ...{ CLAWBERNETES_RANK: '2', CLAWBERNETES_MEMBERS: '3', NODE_RANK: '2', NNODES: '3' },
  });
});

test('an exclusive gang waits for proof of the end of every member before any begins anew', async () => {
  const fixture = await GangFixture.open([6], 4);
  const workload = await fixture.running({
    ...{ ...SPEC, exclusive: true, stopGraceMs: 5000, onDisconnect: { action: 'stop', afterMs: 120_000 } },
  });
  const [first, second, lost] = fixture.members(workload);
  if (!first || !second || !lost) throw new Error('a member is missing');
  const silent = [lost.nodeId.replace('node-', '')];
  await fixture.pass(100_000, silent);
  for (const member of [first, second])
    fixture.report(member, { state: 'killed', reason: 'stopped', finishedAtMs: 9 });
  await fixture.pass(40_000, silent);
  expect(fixture.state(workload)).toBe('stopping');
  expect(fixture.members(workload)).toHaveLength(3);
  // (120 s + 5 s) × 1.1 + 10 s after it was heard of last, or a lease after the fleet's own start.
  await fixture.pass(50_000, silent);
  expect(fixture.fleet.fleet.attempt(lost.id)).toMatchObject({ state: 'lost', fenced: true });
  expect(fixture.members(workload).map(({ generation }) => generation)).toEqual([2, 2, 2]);
});

test('while an exclusive gang waits for such proof, others have the places of the members that have ended', async () => {
  const fixture = await GangFixture.open([3], 4);
  const workload = await fixture.running({ ...SPEC, ...RESTART, exclusive: true });
  const [first, second, lost] = fixture.members(workload);
  if (!first || !second || !lost) throw new Error('a member is missing');
  const silent = [lost.nodeId.replace('node-', '')];
  await fixture.pass(50_000, silent);
  fixture.report(second, { state: 'exited', exitCode: 7, finishedAtMs: 9 });
  await fixture.fleet.settle();
  fixture.report(first, { state: 'killed', reason: 'stopped', finishedAtMs: 9 });
  const rival = await fixture.submit({ resources: { gpus: 4 } });
  expect(fixture.state(rival)).toBe('queued');
  await fixture.pass(70_000, silent);
  expect([fixture.state(workload), fixture.state(rival)]).toEqual(['stopping', 'reserved']);
});

test('an exclusive gang is not given up by force, and ends where a person vouches for a node', async () => {
  const fixture = await GangFixture.open([6], 4);
  const workload = await fixture.running({ ...SPEC, exclusive: true });
  const [first, second, lost] = fixture.members(workload);
  if (!first || !second || !lost) throw new Error('a member is missing');
  await fixture.pass(60_000, [lost.nodeId.replace('node-', '')]);
  const { fleet } = fixture.fleet;
  expect(() => fleet.intake.stop(fleet.workload('default', workload.id), true)).toThrow(/is exclusive/);
  fleet.administration.abandon(fleet.node(lost.nodeId));
  await fixture.pass(1000);
  for (const member of [first, second])
    fixture.report(member, { state: 'killed', reason: 'stopped', finishedAtMs: 9 });
  await fixture.fleet.settle();
  expect(fixture.state(workload)).toBe('failed');
  const events = await fleet.events({ from: 1, limit: 1000, subject: workload.id });
  expect(events.find(({ type }) => type === 'workload.failed')?.message).toContain('nothing proves');
  expect(fixture.members(workload).every(({ generation }) => generation === 1)).toBe(true);
});

test('a member that its node had to stop is replaced once that is certain', async () => {
  const fixture = await GangFixture.open([4], 4);
  const workload = await fixture.running({
    ...{ ...SPEC, exclusive: true, stopGraceMs: 0, onDisconnect: { action: 'stop', afterMs: 30_000 } },
  });
  const lost = fixture.members(workload)[2];
  if (!lost) throw new Error('a member is missing');
  await fixture.pass(80_000, [lost.nodeId.replace('node-', '')]);
  expect(fixture.fleet.fleet.attempt(lost.id)).toMatchObject({ state: 'lost', fenced: true });
  const next = fixture.members(workload)[2];
  expect(next?.id).not.toBe(lost.id);
  expect(next?.generation).toBe(1);
  // What it says when it is back changes nothing.
  fixture.fleet.fleet.registry.connected(lost.nodeId);
  fixture.fleet.fleet.reports.repair(lost.nodeId, [
    status(lost, { state: 'killed', reason: 'disconnected', revision: 9 }),
  ]);
  await fixture.fleet.settle();
  expect(fixture.members(workload)[2]?.id).toBe(next?.id);
});
