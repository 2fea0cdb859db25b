// Shows that work makes room in the fleet as the queues say: lower priority in its queue, borrowed work for
// others; it goes by proof, comes back later, and its place is kept for whom it went for, but not for ever.
import { describe, expect, test } from 'vitest';
import { QueueFleet, unguarded } from './queue-fleet.ts';

const low = { priority: -5 };
const high = { priority: 5 };

describe('by priority, in one queue', () => {
  test('the low one is stopped politely, proves its end, and waits again; the high one gets its place', async () => {
    const fleet = await QueueFleet.open({});
    fleet.fixture.join('a', 2);
    const first = fleet.submit('default', 2, low);
    await fleet.settle();
    fleet.runAll();
    const urgent = fleet.submit('default', 2, high);
    await fleet.settle(2000);
    expect(fleet.states(first, urgent)).toEqual(['preempting', 'queued']);
    const stops = fleet.fixture.orders.filter(({ order }) => order.kind === 'stop');
    expect(stops).toMatchObject([{ order: { graceful: true, graceMs: 10_000 } }]);
    expect(fleet.endStopped()).toBe(1);
    await fleet.settle();
    expect(fleet.states(first, urgent)).toEqual(['queued', 'reserved']);
    expect(fleet.fleet.workloadView(first).moves).toBeUndefined();
    const events = await fleet.fleet.events({ from: 0, limit: 1000, subject: first.id });
    expect(events.find(({ type }) => type === 'attempt.evicted')).toMatchObject({
      cause: 'preemptor',
      message: expect.stringContaining(
        `${urgent.name} (queue default) of priority 5 takes its place`,
      ) as string,
      facts: { by: urgent.id, ground: 'priority' },
    });
    fleet.runAll();
    fleet.end(urgent);
    await fleet.settle();
    expect(fleet.states(first)).toEqual(['reserved']);
    await fleet.close();
  });

  test('no more than needed, and those of lowest priority', async () => {
    const fleet = await QueueFleet.open({});
    fleet.fixture.join('a', 4);
    const works = [3, 1, 2, 4].map((priority) => fleet.submit('default', 1, { priority }));
    await fleet.settle();
    fleet.runAll();
    fleet.submit('default', 2, high);
    await fleet.settle(2000);
    expect(fleet.states(...works)).toEqual(['running', 'preempting', 'preempting', 'running']);
    await fleet.close();
  });

  test('never for the same priority, and never where it would not fit all the same', async () => {
    const fleet = await QueueFleet.open({});
    fleet.fixture.join('a', 2);
    const works = [1, 2].map(() => fleet.submit('default', 1, low));
    await fleet.settle();
    fleet.runAll();
    fleet.submit('default', 1, low);
    fleet.submit('default', 4, high);
    await fleet.settle(30_000);
    expect(fleet.states(...works)).toEqual(['running', 'running']);
    await fleet.close();
  });

  test('not before the work has run for a while; then without anything else happening', async () => {
    const guards = { minRuntimeMs: 60_000, coolDownMs: 0, maxPreemptions: 3 };
    const fleet = await QueueFleet.open({}, unguarded({ guards }));
    fleet.fixture.join('a', 1);
    const first = fleet.submit('default', 1, low);
    await fleet.settle();
    fleet.runAll();
    fleet.submit('default', 1, high);
    await fleet.settle(50_000);
    expect(fleet.states(first)).toEqual(['running']);
    await fleet.settle(20_000);
    expect(fleet.states(first)).toEqual(['preempting']);
    await fleet.close();
  });

  test('not while so many nodes are silent that the network of the gateway is suspected', async () => {
    const fleet = await QueueFleet.open({});
    for (let index = 0; index < 8; index += 1) fleet.fixture.join(`n${index}`, 1);
    const works = Array.from({ length: 8 }, () => fleet.submit('default', 1, low));
    await fleet.settle();
    fleet.runAll();
    // Silence of all but two for longer than their lease.
    for (let passedMs = 0; passedMs < 40_000; passedMs += 5000) {
      for (const id of ['node-n0', 'node-n1']) fleet.fleet.registry.heard(id);
      await fleet.fixture.settle(5000);
    }
    expect(fleet.fleet.freeze).toBeDefined();
    fleet.submit('default', 1, high);
    await fleet.fixture.settle(5000);
    expect(fleet.states(...works)).not.toContain('preempting');
    await fleet.close();
  });

  test('also where the limit of the queue is what keeps it waiting', async () => {
    const fleet = await QueueFleet.open({ r: { limit: { gpus: 1 } } });
    fleet.fixture.join('a', 4);
    const first = fleet.submit('r', 1, low);
    await fleet.settle();
    fleet.runAll();
    const urgent = fleet.submit('r', 1, high);
    await fleet.settle(2000);
    expect(fleet.states(first, urgent)).toEqual(['preempting', 'queued']);
    fleet.endStopped();
    await fleet.settle();
    expect(fleet.states(first, urgent)).toEqual(['queued', 'reserved']);
    await fleet.close();
  });
});

describe('what makes room', () => {
  const leaving = async () => {
    const fleet = await QueueFleet.open({});
    fleet.fixture.join('a', 1);
    const first = fleet.submit('default', 1, { ...low, reschedule: { evicted: 'end' } });
    await fleet.settle();
    fleet.runAll();
    const urgent = fleet.submit('default', 1, high);
    await fleet.settle(2000);
    expect(fleet.states(first)).toEqual(['preempting']);
    return { fleet, first, urgent };
  };

  test('and comes to a good end in its last moments has succeeded', async () => {
    const { fleet, first, urgent } = await leaving();
    fleet.end(first);
    await fleet.settle();
    expect(fleet.states(first, urgent)).toEqual(['succeeded', 'reserved']);
    await fleet.close();
  });

  test('and wants no other place ends as failed', async () => {
    const { fleet, first, urgent } = await leaving();
    fleet.endStopped();
    await fleet.settle();
    expect(fleet.states(first, urgent)).toEqual(['failed', 'reserved']);
    await fleet.close();
  });

  test('and is stopped by a person meanwhile is cancelled', async () => {
    const { fleet, first, urgent } = await leaving();
    fleet.fleet.intake.stop(fleet.fleet.findWorkload(first.id)!, false);
    await fleet.settle();
    expect(fleet.states(first)).toEqual(['stopping']);
    fleet.endStopped();
    await fleet.settle();
    expect(fleet.states(first, urgent)).toEqual(['cancelled', 'reserved']);
    await fleet.close();
  });

  test('may be on its way to its node still', async () => {
    const fleet = await QueueFleet.open({});
    fleet.fixture.join('a', 1);
    const first = fleet.submit('default', 1, low);
    await fleet.settle();
    fleet.submit('default', 1, high);
    await fleet.settle(2000);
    expect(fleet.states(first)).toEqual(['preempting']);
    await fleet.close();
  });
});

describe('between queues', () => {
  test('borrowed work goes for a guarantee, own work does not', async () => {
    const fleet = await QueueFleet.open({ a: { guaranteed: { gpus: 4 } }, b: { guaranteed: { gpus: 4 } } });
    fleet.fixture.join('n', 8);
    const works = Array.from({ length: 8 }, () => fleet.submit('b', 1));
    await fleet.settle();
    fleet.runAll();
    const mine = Array.from({ length: 6 }, () => fleet.submit('a', 1));
    for (let round = 0; round < 10; round += 1) {
      await fleet.settle(2000);
      fleet.endStopped();
      fleet.runAll();
    }
    await fleet.settle();
    fleet.runAll();
    expect(fleet.states(...mine).filter((state) => state === 'running')).toHaveLength(4);
    expect(fleet.states(...works).filter((state) => state === 'running')).toHaveLength(4);
    expect(fleet.fleet.queues.show('a').message).toContain('uses 4 GPUs');
    await fleet.close();
  });

  test('who borrows is told with who does not use what is his', async () => {
    const fleet = await QueueFleet.open({ a: { guaranteed: { gpus: 4 } }, b: { guaranteed: { gpus: 4 } } });
    fleet.fixture.join('n', 8);
    for (let count = 0; count < 6; count += 1) fleet.submit('b', 1);
    await fleet.settle();
    expect(fleet.fleet.queues.show('b')).toMatchObject({
      used: { gpus: 6 },
      borrowed: { gpus: 2 },
      lenders: [{ queue: 'a', lends: { gpus: 4 } }],
      message: expect.stringContaining('It borrows 2 GPUs while a do not use') as string,
    });
    await fleet.close();
  });
});

describe('the place that others made room in', () => {
  const preempting = async () => {
    const fleet = await QueueFleet.open({});
    fleet.fixture.join('a', 2);
    const works = [fleet.submit('default', 1, low), fleet.submit('default', 1, low)];
    await fleet.settle();
    fleet.runAll();
    const urgent = fleet.submit('default', 2, high);
    await fleet.settle(2000);
    expect(fleet.states(...works)).toEqual(['preempting', 'preempting']);
    const [first] = works.map((work) => fleet.fixture.attemptOf(work));
    fleet.fixture.report(first!, { state: 'killed', signal: 'SIGTERM', revision: 2 });
    await fleet.settle();
    return { fleet, works, urgent };
  };

  test('is taken by nobody else while the last of them ends', async () => {
    const { fleet, works, urgent } = await preempting();
    const small = fleet.submit('default', 1, high);
    await fleet.settle(2000);
    expect(fleet.states(works[0]!, urgent, small)).toEqual(['queued', 'queued', 'queued']);
    fleet.endStopped();
    await fleet.settle();
    expect(fleet.states(urgent, small)).toEqual(['reserved', 'queued']);
    await fleet.close();
  });

  test('is free for all once the one it is kept for goes away', async () => {
    const { fleet, works, urgent } = await preempting();
    fleet.fleet.intake.stop(urgent, false);
    await fleet.settle(1000);
    expect(fleet.states(works[0]!, urgent)).toEqual(['reserved', 'cancelled']);
    await fleet.close();
  });

  test('is free for all after a bounded time, also where the last never ends', async () => {
    const { fleet, works, urgent } = await preempting();
    await fleet.settle(100_000);
    expect(fleet.states(works[0]!, works[1]!, urgent)).toEqual(['reserved', 'preempting', 'queued']);
    await fleet.close();
  });

  test('is found again after a kill of the gateway', async () => {
    const { fleet, works, urgent } = await preempting();
    await fleet.restart();
    fleet.fixture.connect('node-a');
    await fleet.settle(2000);
    expect(fleet.states(works[1]!, urgent)).toEqual(['preempting', 'queued']);
    for (let round = 0; round < 5; round += 1) {
      fleet.endStopped();
      await fleet.settle(2000);
      fleet.runAll();
    }
    expect(fleet.states(urgent)).toEqual(['running']);
    await fleet.close();
  });
});
