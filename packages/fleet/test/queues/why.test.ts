// Shows what people are told of queues: why a limit keeps work waiting and what would help, carried out step
// by step, where others make room, what goes before, and what more work would do.
import type { RemedyStep, WhyView } from '@clawbernetes/protocol';
import { workloadSpecSchema } from '@clawbernetes/protocol';
import { describe, expect, test } from 'vitest';
import type { WorkloadRecord } from '../../src/index.ts';
import { QueueFleet, unguarded } from './queue-fleet.ts';

const why = (fleet: QueueFleet, workload: WorkloadRecord): WhyView => fleet.fleet.questions.why(workload, []);

function carryOut({ fleet }: QueueFleet, steps: readonly RemedyStep[]): void {
  for (const { queue = '', limit = {} } of steps) fleet.queues.update({ queue, settings: { limit } });
}

describe('a limit that keeps work waiting', () => {
  test('is told with remedies; to raise it starts the work', async () => {
    const fleet = await QueueFleet.open({
      r: { limit: { gpus: 5 } },
      'r/t': { limit: { gpuModels: { h100: 4 } } },
    });
    fleet.fixture.join('a', 8);
    const holder = fleet.submit('r/t', 2, { timeoutMs: 60_000 });
    await fleet.settle();
    fleet.runAll();
    const work = fleet.submit('r/t', 4);
    await fleet.settle();
    const { waiting, message } = why(fleet, work);
    expect(waiting).toMatchObject({ reason: 'waiting-for-quota', nodes: 1, ahead: 0 });
    expect(message).toContain('queue r/t may use 4 × h100, of which 2 × h100 are in use');
    expect(waiting?.start.estimate).toBe('range');
    const [wait, less, raise] = ['wait', 'ask-gpus', 'raise-limit'].map((name) =>
      waiting?.remedies.find(({ steps }) => steps.some(({ step }) => step === name)),
    );
    expect(wait).toMatchObject({ steps: [{ until: [{ workload: holder.id }] }], certain: true });
    expect(less).toMatchObject({ steps: [{ gpus: 2 }], certain: true });
    expect(raise).toMatchObject({
      certain: true,
      commands: [
        'clawbernetes queue update r/t --limit h100=6',
        'clawbernetes queue update r --limit gpus=6',
      ],
    });
    carryOut(fleet, raise?.steps ?? []);
    await fleet.settle();
    expect(fleet.states(work)).toEqual(['reserved']);
    await fleet.close();
  });

  test('is not raised for sure where others would take what it gives, or no node has room', async () => {
    const fleet = await QueueFleet.open({ r: { limit: { gpus: 2 } } });
    fleet.fixture.join('a', 3);
    const works: WorkloadRecord[] = [];
    for (const gpus of [2, 1, 2]) {
      works.push(fleet.submit('r', gpus));
      await fleet.settle();
    }
    const remedyOf = (work: WorkloadRecord) =>
      why(fleet, work).waiting?.remedies.find(({ steps }) => steps[0]?.step === 'raise-limit');
    expect(remedyOf(works[1]!)).toMatchObject({ certain: true });
    expect(remedyOf(works[2]!)).toMatchObject({ certain: false });
    expect(why(fleet, works[2]!).waiting?.ahead).toBe(1);
    await fleet.close();
  });

  test('that never lets it start is told as such', async () => {
    const fleet = await QueueFleet.open({ r: { limit: { gpus: 1 } } });
    fleet.fixture.join('a', 4);
    const work = fleet.submit('r', 2);
    await fleet.settle();
    const { waiting } = why(fleet, work);
    expect(waiting).toMatchObject({ reason: 'over-limit', start: { estimate: 'unknown' } });
    expect(waiting?.remedies.map(({ steps, certain }) => [steps[0]?.step, certain])).toEqual([
      ['ask-gpus', true],
      ['raise-limit', true],
    ]);
    await fleet.close();
  });
});

test('the one that others make room for is told where, and who goes', async () => {
  const fleet = await QueueFleet.open({});
  fleet.fixture.join('a', 2);
  const low = fleet.submit('default', 2, { priority: -1 });
  await fleet.settle();
  fleet.runAll();
  const high = fleet.submit('default', 2, { priority: 1 });
  await fleet.settle(2000);
  expect(why(fleet, high).message).toContain(
    `A place is kept for it on a: it starts once ${low.name} has ended.`,
  );
  const events = await fleet.fleet.events({ from: 0, limit: 100, subject: low.id });
  expect(fleet.fleet.questions.why(low, events).message).toContain(
    `${high.name} (queue default) of priority 1 takes its place`,
  );
  await fleet.close();
});

test('what goes before is told in the order of the queues', async () => {
  const fleet = await QueueFleet.open({ a: { weight: 3 }, b: {} });
  fleet.fixture.join('n', 4);
  for (let count = 0; count < 4; count += 1) fleet.submit('a', 1);
  await fleet.settle();
  const late = Array.from({ length: 4 }, () => fleet.submit('a', 1));
  const other = fleet.submit('b', 1);
  const urgent = fleet.submit('b', 1, { priority: 1 });
  await fleet.settle();
  const ahead = (work: WorkloadRecord): number | undefined => why(fleet, work).waiting?.ahead;
  expect([ahead(urgent), ahead(other)]).toEqual([0, 1]);
  expect(late.map((work) => ahead(work)! >= 2)).toEqual([true, true, true, true]);
  await fleet.close();
});

test('more work is imagined within the limits of its queue', async () => {
  const fleet = await QueueFleet.open({ r: { limit: { gpus: 3 } } });
  fleet.fixture.join('a', 8);
  fleet.submit('r', 1);
  await fleet.settle();
  const whatIf = (queue: string) =>
    fleet.fleet.questions.whatIf({
      namespace: 'default',
      spec: workloadSpecSchema.parse({ command: ['true'], queue, resources: { gpus: 1 } }),
      count: 4,
      drained: [],
      ended: [],
    });
  expect(whatIf('r')).toMatchObject({ waits: 2, waiting: { reason: 'waiting-for-quota' } });
  expect(whatIf('default')).toMatchObject({ waits: 0 });
  expect(() => whatIf('x')).toThrow('There is no queue "x"');
  const before = fleet.fleet.queues.list();
  whatIf('r');
  expect(fleet.fleet.queues.list()).toEqual(before);
  await fleet.close();
});

test('what may be stopped for it is named, and what is protected and for how long', async () => {
  const guards = { minRuntimeMs: 300_000, coolDownMs: 0, maxPreemptions: 3 };
  const fleet = await QueueFleet.open({}, unguarded({ guards }));
  fleet.fixture.join('a', 2);
  const works = [1, 2].map(() => fleet.submit('default', 1, { priority: -5 }));
  await fleet.settle();
  fleet.runAll();
  const urgent = fleet.submit('default', 2, { priority: 5 });
  await fleet.settle(100_000);
  const { waiting } = fleet.fleet.questions.why(urgent, []);
  expect(waiting?.message).toMatch(
    new RegExp(`w[12] may be stopped for it once it has run for 5m 00s, in 3m \\d+s, 1 more later\\.`),
  );
  const equal = fleet.submit('default', 2, { priority: -5 });
  await fleet.settle(1000);
  expect(fleet.fleet.questions.why(equal, []).waiting?.message).not.toContain('may be stopped');
  expect(works).toHaveLength(2);
  await fleet.close();
});
