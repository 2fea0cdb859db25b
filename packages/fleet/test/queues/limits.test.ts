// Shows that queues as people make them hold in the fleet: limits are never passed, what waits for one says
// so, edits count at the next plan, and what contradicts itself is refused.
import { describe, expect, test } from 'vitest';
import { codeOf } from '../unit/fleet-fixture.ts';
import { QueueFleet } from './queue-fleet.ts';

describe('a limit', () => {
  test('keeps work from starting and says which queue is full; it starts once others have ended', async () => {
    const fleet = await QueueFleet.open({ research: { limit: { gpus: 4 } } });
    fleet.fixture.join('a', 8);
    const works = [1, 2, 3].map(() => fleet.submit('research', 2));
    await fleet.settle();
    expect(fleet.states(...works)).toEqual(['reserved', 'reserved', 'queued']);
    expect(fleet.fleet.workloadView(works[2]!).waiting).toEqual({
      reason: 'waiting-for-quota',
      message: expect.stringContaining('queue research may use 4 GPUs, of which 4 GPUs are in use') as string,
    });
    fleet.end(works[0]!);
    await fleet.settle();
    expect(fleet.states(...works)).toEqual(['succeeded', 'reserved', 'reserved']);
    await fleet.close();
  });

  test('of a parent holds for its children together', async () => {
    const fleet = await QueueFleet.open({ r: { limit: { gpus: 3 } }, 'r/a': {}, 'r/b': {} });
    fleet.fixture.join('a', 8);
    for (let count = 0; count < 4; count += 1) {
      fleet.submit('r/a', 1);
      fleet.submit('r/b', 1);
    }
    await fleet.settle();
    expect([fleet.used('r'), fleet.used('r/a') + fleet.used('r/b')]).toEqual([3, 3]);
    await fleet.close();
  });

  test('that is lowered stops nothing, admits nothing, and says so; raised it admits at once', async () => {
    const fleet = await QueueFleet.open({ r: {} });
    fleet.fixture.join('a', 8);
    const works = [1, 2, 3, 4].map(() => fleet.submit('r', 2));
    await fleet.settle();
    const late = fleet.submit('r', 2);
    const view = fleet.fleet.queues.update({ queue: 'r', settings: { limit: { gpus: 4 } } });
    expect(view.message).toContain('more than its limit of 4 GPUs: nothing is stopped for that');
    await fleet.settle();
    fleet.end(works[0]!);
    fleet.end(works[1]!);
    await fleet.settle();
    expect(fleet.states(...works, late)).toEqual([
      'succeeded',
      'succeeded',
      'reserved',
      'reserved',
      'queued',
    ]);
    fleet.fleet.queues.update({ queue: 'r', settings: {}, unset: ['limit'] });
    await fleet.settle();
    expect(fleet.states(late)).toEqual(['reserved']);
    await fleet.close();
  });

  test('below what is asked for is told as such, with what would help', async () => {
    const fleet = await QueueFleet.open({ r: { limit: { gpus: 1 } } });
    fleet.fixture.join('a', 8);
    const work = fleet.submit('r', 2);
    await fleet.settle();
    expect(fleet.fleet.workloadView(work).waiting).toEqual({
      reason: 'over-limit',
      message: 'It needs 2 GPUs, but queue r may use 1 GPU. Ask for less, or have its limit raised.',
    });
    await fleet.close();
  });

  test('of one model leaves other models to be used', async () => {
    const fleet = await QueueFleet.open({ r: { limit: { gpuModels: { H100: 2 } } } });
    fleet.fixture.join('a', 4);
    const { id: gpuId, ...gpu } = fleet.fleet.node('a').inventory.gpus[0]!;
    const a100 = [0, 1].map((index) => ({ ...gpu, id: `b${gpuId}${index}`, index, model: 'NVIDIA A100' }));
    fleet.fixture.join('b', 0, { gpus: a100 });
    const works = [1, 2, 3, 4, 5].map(() => fleet.submit('r', 1));
    await fleet.settle();
    expect(fleet.states(...works)).toEqual([...Array<string>(4).fill('reserved'), 'queued']);
    expect(fleet.fleet.queues.show('r').used).toMatchObject({ gpus: 4, gpuModels: { h100: 2 } });
    await fleet.close();
  });

  test('of one model keeps nobody waiting who found no other: room may have been there all the time', async () => {
    const fleet = await QueueFleet.open({ r: { limit: { gpuModels: { H100: 4 } } } });
    fleet.fixture.join('small', 2);
    const running = fleet.submit('r', 2);
    await fleet.settle();
    fleet.fixture.join('large', 4);
    const { id: gpuId, ...gpu } = fleet.fleet.node('small').inventory.gpus[0]!;
    fleet.fixture.join('other', 0, { gpus: [{ ...gpu, id: `b${gpuId}`, index: 0, model: 'NVIDIA A100' }] });
    const work = fleet.submit('r', 4);
    await fleet.settle();
    expect(fleet.states(running, work)).toEqual(['reserved', 'queued']);
    fleet.end(running);
    await fleet.settle();
    expect(fleet.states(running, work)).toEqual(['succeeded', 'reserved']);
    await fleet.close();
  });

  test('above that can never be met tells those behind nothing', async () => {
    const fleet = await QueueFleet.open({ r: { limit: { gpus: 2 } }, 'r/a': { limit: { gpus: 4 } } });
    fleet.fixture.join('a', 8);
    fleet.submit('r/a', 1);
    const never = fleet.submit('r/a', 4);
    const work = fleet.submit('r/a', 1);
    await fleet.settle();
    expect(fleet.states(never, work)).toEqual(['queued', 'reserved']);
    expect(fleet.fleet.workloadView(never).waiting).toMatchObject({ reason: 'over-limit' });
    await fleet.close();
  });

  test('is not waited for by what is smaller and came later', async () => {
    const fleet = await QueueFleet.open({ r: { limit: { gpus: 4 } } });
    fleet.fixture.join('a', 8);
    const first = fleet.submit('r', 2);
    await fleet.settle();
    const large = fleet.submit('r', 4);
    await fleet.settle(1000);
    const small = fleet.submit('r', 1);
    await fleet.settle();
    expect(fleet.states(first, large, small)).toEqual(['reserved', 'queued', 'queued']);
    fleet.end(first);
    await fleet.settle();
    expect(fleet.states(large, small)).toEqual(['reserved', 'queued']);
    fleet.fleet.intake.stop(large, false);
    fleet.end(large, 1);
    await fleet.settle();
    expect(fleet.states(small)).toEqual(['reserved']);
    await fleet.close();
  });
});

test('what waits behind another for a limit goes on once that one is cancelled', async () => {
  const fleet = await QueueFleet.open({ r: { limit: { gpus: 4 } } });
  fleet.fixture.join('a', 8);
  fleet.submit('r', 2);
  const large = fleet.submit('r', 4);
  await fleet.settle(1000);
  const small = fleet.submit('r', 1);
  await fleet.settle();
  expect(fleet.states(large, small)).toEqual(['queued', 'queued']);
  fleet.fleet.intake.stop(large, false);
  await fleet.settle();
  expect(fleet.states(large, small)).toEqual(['cancelled', 'reserved']);
  await fleet.close();
});

describe('priority', () => {
  test('goes first within a queue, and the older of the same', async () => {
    const fleet = await QueueFleet.open({});
    fleet.fixture.join('a', 1);
    const running = fleet.submit('default', 1, { priority: 5 });
    await fleet.settle();
    const works = [0, 5, 5].map((priority) => fleet.submit('default', 1, { priority }));
    for (const next of [works[1]!, works[2]!, works[0]!]) {
      await fleet.settle(1000);
      fleet.end(works.find((work) => fleet.states(work)[0] === 'reserved') ?? running);
      await fleet.settle();
      expect(fleet.states(next)).toEqual(['reserved']);
    }
    await fleet.close();
  });

  test('is that of the queue at submission, where none is named', async () => {
    const fleet = await QueueFleet.open({ r: { defaultPriority: 7 } });
    expect(fleet.submit('r', 1).priority).toBe(7);
    expect(fleet.submit('r', 1, { priority: 0 }).priority).toBeUndefined();
    await fleet.close();
  });
});

describe('edits are refused', () => {
  const refusals: readonly (readonly [string, (fleet: QueueFleet) => unknown, string])[] = [
    ['twice the same', ({ fleet }) => fleet.queues.create({ queue: 'r', settings: {} }), 'name-taken'],
    ['an unknown parent', ({ fleet }) => fleet.queues.create({ queue: 'x/y', settings: {} }), 'not-found'],
    ['below default', ({ fleet }) => fleet.queues.create({ queue: 'default/x', settings: {} }), 'conflict'],
    ['default deleted', ({ fleet }) => fleet.queues.delete('default'), 'conflict'],
    ['a parent deleted', ({ fleet }) => fleet.queues.delete('r'), 'conflict'],
    ['an unknown queue', ({ fleet }) => fleet.queues.show('nobody'), 'not-found'],
    [
      'a limit below the guarantee',
      ({ fleet }) =>
        fleet.queues.update({ queue: 'r/a', settings: { limit: { gpus: 1 }, guaranteed: { gpus: 2 } } }),
      'conflict',
    ],
    [
      'guarantees of two kinds',
      ({ fleet }) =>
        fleet.queues.update({ queue: 's', settings: { guaranteed: { gpuModels: { h100: 1 } } } }),
      'conflict',
    ],
    ['work for a queue that is not there', (fleet) => fleet.submit('r/b', 1), 'invalid-input'],
    ['work for a queue that divides', (fleet) => fleet.submit('r', 1), 'invalid-input'],
    [
      'a child for a queue with work',
      (fleet) => {
        fleet.submit('s', 1);
        fleet.fleet.queues.create({ queue: 's/t', settings: {} });
      },
      'conflict',
    ],
    [
      'a queue with work deleted',
      (fleet) => {
        fleet.submit('s', 1);
        fleet.fleet.queues.delete('s');
      },
      'conflict',
    ],
    [
      'more work than may wait',
      (fleet) => {
        fleet.fleet.queues.update({ queue: 's', settings: { maxWaiting: 1 } });
        fleet.submit('s', 1);
        fleet.submit('s', 1);
      },
      'overloaded',
    ],
  ];

  test.each(refusals)('%s', async (_, action, code) => {
    const fleet = await QueueFleet.open({ r: {}, 'r/a': { guaranteed: { gpus: 2 } }, s: {} });
    expect(codeOf(() => action(fleet))).toBe(code);
    await fleet.close();
  });

  test('and the nearest name is told', async () => {
    const fleet = await QueueFleet.open({ research: {} });
    expect(() => fleet.submit('reserch', 1)).toThrow('There is no queue "reserch". Did you mean "research"?');
    await fleet.close();
  });
});

test('queues, usage and what waits are as before after a kill', async () => {
  const fleet = await QueueFleet.open({ r: { limit: { gpus: 2 }, weight: 3 }, s: {} });
  fleet.fixture.join('a', 4);
  const [running, waiting] = [fleet.submit('r', 2), fleet.submit('r', 1)];
  await fleet.settle();
  fleet.runAll();
  await fleet.settle(3_600_000);
  const before = fleet.fleet.queues.show('r');
  await fleet.restart();
  fleet.fixture.connect('node-a');
  await fleet.settle();
  const after = fleet.fleet.queues.show('r');
  expect({ ...after, recentGpus: 0 }).toEqual({ ...before, recentGpus: 0 });
  expect(after.recentGpus).toBeCloseTo(before.recentGpus, 1);
  expect(after.recentGpus).toBeGreaterThan(0);
  expect(fleet.states(running, waiting)[1]).toBe('queued');
  await fleet.close();
});
