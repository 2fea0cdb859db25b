// Shows what follows for gangs when many lose members at once, or before their programs have begun.
import { expect, test } from 'vitest';
import type { WorkloadRecord } from '../../../src/index.ts';
import { GangFixture } from './gang-fixture.ts';

test('a node takes members of many gangs with it: each is replaced, none begins anew for the number of them', async () => {
  const fixture = await GangFixture.open([2], 4);
  const gangs: WorkloadRecord[] = [];
  const spread = { by: 'node', maxSkew: 1, mode: 'preferred' } as const;
  for (let count = 0; count < 50; count += 1)
    gangs.push(await fixture.running({ resources: { cpuMilli: 50 }, gang: { members: 2 }, spread }));
  fixture.join('r0n7', 4, 'r0');
  const silent = fixture.members(gangs[0] as WorkloadRecord)[1]?.nodeId ?? '';
  expect(gangs.filter((gang) => fixture.members(gang)[1]?.nodeId === silent)).toHaveLength(50);
  await fixture.pass(110_000, [silent.replace('node-', '')]);
  for (const gang of gangs) {
    const members = fixture.members(gang);
    expect(members.map(({ generation }) => generation)).toEqual([1, 1]);
    expect(members[1]?.nodeId).not.toBe(silent);
  }
});

test('a node that is away before all are ready: after the grace the gang waits for other places', async () => {
  const fixture = await GangFixture.open([4], 4);
  const workload = await fixture.submit({ resources: { gpus: 4 }, gang: { members: 3 } });
  const [first, second, away] = fixture.members(workload);
  if (!first || !second || !away) throw new Error('a member is missing');
  for (const member of [first, second]) fixture.report(member, { state: 'ready' });
  await fixture.pass(110_000, [away.nodeId.replace('node-', '')]);
  expect(fixture.state(workload)).toBe('stopping');
  for (const member of [first, second])
    fixture.report(member, { state: 'killed', reason: 'stopped', finishedAtMs: 9 });
  await fixture.fleet.settle();
  const anew = fixture.members(workload);
  expect(anew.map(({ generation }) => generation)).toEqual([2, 2, 2]);
  expect(anew.map(({ nodeId }) => nodeId)).not.toContain(away.nodeId);
});

test('one whose places come to nothing again and again waits longer each time; a stop ends the wait', async () => {
  const fixture = await GangFixture.open([2], 4);
  const workload = await fixture.submit({ resources: { gpus: 4 }, gang: { members: 2 } });
  const failAll = async (): Promise<void> => {
    for (const member of fixture.members(workload))
      fixture.report(member, { state: 'killed', reason: 'executor-unavailable', finishedAtMs: 9 });
    await fixture.fleet.settle();
  };
  await failAll();
  expect(fixture.state(workload)).toBe('reserved');
  for (const delayMs of [1000, 2000, 4000]) {
    await failAll();
    expect(fixture.fleet.fleet.workloadView(workload).waiting?.reason).toBe('delayed');
    await fixture.pass(delayMs - 100);
    expect(fixture.state(workload)).toBe('queued');
    await fixture.pass(200);
    expect(fixture.state(workload)).toBe('reserved');
  }
  await failAll();
  await fixture.fleet.crashAndReopen();
  for (const name of fixture.names) fixture.fleet.connect(`node-${name}`);
  await fixture.pass(7000);
  expect(fixture.state(workload)).toBe('queued');
  fixture.fleet.fleet.intake.stop(fixture.fleet.fleet.workload('default', workload.id), false);
  await fixture.pass(20_000);
  expect(fixture.state(workload)).toBe('cancelled');
  expect(fixture.members(workload).every(({ state }) => state === 'killed')).toBe(true);
});
