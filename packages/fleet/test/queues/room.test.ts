// Shows of work that makes room that it is counted once: for whom it goes, and what its queue uses.
import { expect, test } from 'vitest';
import { QueueFleet } from './queue-fleet.ts';

const low = { priority: -5 };

test('two that would start in the place of the same work do not both count on it', async () => {
  const fleet = await QueueFleet.open({});
  fleet.fixture.join('a', 2);
  fleet.fixture.join('b', 2);
  const [first, second] = [fleet.submit('default', 2, low), fleet.submit('default', 2, low)];
  await fleet.settle();
  fleet.runAll();
  const urgent = fleet.submit('default', 2, { priority: 9 });
  const other = fleet.submit('default', 2, { priority: 5 });
  await fleet.settle(2000);
  expect(fleet.states(first, second)).toEqual(['preempting', 'preempting']);
  for (const work of [first, second]) expect(fleet.fleet.findWorkload(work.id)?.preemptions).toBe(1);
  fleet.endStopped();
  await fleet.settle(2000);
  expect(fleet.states(urgent, other)).toEqual(['reserved', 'reserved']);
  await fleet.close();
});

test('where only one can go, only one waits for its place', async () => {
  const fleet = await QueueFleet.open({});
  fleet.fixture.join('a', 2);
  const only = fleet.submit('default', 2, low);
  await fleet.settle();
  fleet.runAll();
  const urgent = fleet.submit('default', 2, { priority: 9 });
  const other = fleet.submit('default', 2, { priority: 5 });
  await fleet.settle(10_000);
  expect(fleet.fleet.findWorkload(only.id)?.preemptions).toBe(1);
  const told = [urgent, other].map((one) => fleet.fleet.questions.why(one, []).waiting?.message ?? '');
  expect(told.map((message) => message.includes('place is kept'))).toEqual([true, false]);
  await fleet.close();
});

test('a gang that borrows takes nothing of what a sibling is guaranteed for work that may not be preempted', async () => {
  const fleet = await QueueFleet.open({
    p: { guaranteed: { gpus: 4 } },
    'p/a': {},
    'p/b': { guaranteed: { gpus: 4 }, preemptible: false },
  });
  for (const name of ['a', 'b', 'c']) fleet.fixture.join(name, 4);
  const gang = fleet.submit('p/a', 4, { gang: { members: 2 } });
  await fleet.settle();
  const firm = fleet.submit('p/b', 4);
  await fleet.settle();
  expect(fleet.states(gang, firm)).toEqual(['reserved', 'reserved']);
  await fleet.close();
});

test('a clock that is set back keeps no place longer', async () => {
  const fleet = await QueueFleet.open({ r: { limit: { gpus: 2 } } });
  fleet.fixture.join('a', 2);
  const first = fleet.submit('r', 2, low);
  await fleet.settle();
  fleet.runAll();
  const urgent = fleet.submit('r', 2, { priority: 9 });
  await fleet.settle(2000);
  expect(fleet.states(first)).toEqual(['preempting']);
  // Nothing more may start in the queue now, and another would use the GPUs.
  fleet.fleet.queues.update({ queue: 'r', settings: { limit: { gpus: 0 } } });
  fleet.fixture.clock.jumpWallTime(-86_400_000);
  fleet.endStopped();
  const other = fleet.submit('default', 2);
  await fleet.settle(120_000);
  expect(fleet.states(urgent, other)).toEqual(['queued', 'reserved']);
  await fleet.close();
});

test('some that cannot be helped keep nobody from being helped', async () => {
  const fleet = await QueueFleet.open({});
  fleet.fixture.join('a', 2);
  fleet.fixture.join('busy', 1);
  const first = fleet.submit('default', 2, low);
  await fleet.settle();
  fleet.runAll();
  for (let gpus = 4; gpus < 24; gpus += 1) fleet.submit('default', gpus, { priority: 9 });
  fleet.submit('default', 2, { priority: 0 });
  for (let second = 0; second < 10; second += 1) {
    // Something changes all the time.
    const brief = fleet.submit('default', 1, { priority: 20, nodeSelector: { node: 'busy' } });
    await fleet.settle(500);
    fleet.fixture.report(fleet.fixture.attemptOf(brief), { state: 'exited', exitCode: 0, revision: 1 });
    await fleet.settle(500);
  }
  expect(fleet.states(first)).toEqual(['preempting']);
  await fleet.close();
});

test('a GPU that is kept for another is told to be in use', async () => {
  const fleet = await QueueFleet.open({});
  fleet.fixture.join('n', 2);
  const usual = [1, 2].map(() => fleet.submit('default', 1));
  await fleet.settle();
  fleet.runAll();
  const urgent = fleet.submit('default', 2, { priority: 5 });
  await fleet.settle(2000);
  expect(usual.map((one) => fleet.fixture.attemptOf(one).evicted !== undefined)).toEqual([true, true]);
  const attempt = fleet.fixture.attemptOf(usual[0]!);
  fleet.fixture.report(attempt, { state: 'killed', signal: 'SIGTERM', revision: attempt.revision + 1 });
  const other = fleet.submit('default', 1);
  await fleet.settle();
  expect(fleet.states(urgent, other)).toEqual(['queued', 'queued']);
  expect(fleet.fleet.workloadView(other).waiting?.message).toContain('all suitable GPUs are in use');
  await fleet.close();
});
