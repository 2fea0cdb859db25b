// Shows what limits must not do besides: outlive their queue, have work placed twice, be passed or given up
// for models whose names are parts of others, keep work from making room elsewhere, or remember what has
// gone.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { present } from '@clawbernetes/kernel';
import { reservationRequestSchema, type WorkloadSpecInput } from '@clawbernetes/protocol';
import { describe, expect, test } from 'vitest';
import { TurnLine, type InLine } from '../../src/workload/turn-line.ts';
import { QueueFleet } from './queue-fleet.ts';

type Resources = Pick<WorkloadSpecInput, 'resources'>;

/** There is a node `h` with GPUs already. */
function join({ fixture, fleet }: QueueFleet, name: string, model: string, count: number): void {
  const { id: gpuId, ...gpu } = present(fleet.node('h').inventory.gpus[0], 'a GPU');
  const gpus = Array.from({ length: count }, (_, index) => ({
    ...{ ...gpu, id: `${name}${gpuId}${index}`, index, model },
  }));
  fixture.join(name, 0, { gpus });
}

function of(gpus: number, ...gpuModels: string[]): Resources {
  return { resources: { gpus, cpuMilli: 10, memoryMib: 4, ...(gpuModels.length > 0 ? { gpuModels } : {}) } };
}

test.each(['deleted', 'given a child'] as const)('a queue that had work is %s', async (edit) => {
  const fleet = await QueueFleet.open({ a: {}, b: { limit: { gpus: 2 } } });
  fleet.fixture.join('n1', 4);
  await fleet.settle();
  const first = fleet.submit('a', 1);
  await fleet.settle();
  fleet.end(first);
  await fleet.settle();
  if (edit === 'deleted') fleet.fleet.queues.delete('a');
  else fleet.fleet.queues.create({ queue: 'a/x', settings: {} });
  await fleet.settle();
  const second = fleet.submit('b', 1);
  await fleet.settle();
  expect(fleet.states(second)).toEqual(['reserved']);
  await fleet.close();
});

test('work that waits for a limit is placed once on what is reserved for its queue', async () => {
  const fleet = await QueueFleet.open({ r: { limit: { gpuModels: { H100: 4 } } }, s: {} });
  fleet.fixture.join('h', 8);
  join(fleet, 'a100', 'NVIDIA A100', 1);
  await fleet.settle();
  const large = fleet.submit('r', 4, of(4, 'h100'));
  fleet.submit('s', 1, of(1, 'a100'));
  await fleet.settle();
  fleet.runAll();
  await fleet.settle();
  const partly = fleet.submit('r', 1, of(1));
  await fleet.settle();
  const request = { name: 'res', start: 'now', durationMs: 600_000, gpus: 3, queues: ['r'] };
  fleet.fleet.reservations.create(reservationRequestSchema.parse(request));
  await fleet.settle(2000);
  fleet.end(large);
  await fleet.settle(2000);
  const live = fleet.fleet.nodes().flatMap(({ id }) => fleet.fleet.liveAttempts(id));
  expect(live.filter(({ workloadId }) => workloadId === partly.id)).toHaveLength(1);
  await fleet.close();
});

describe('a model whose name is part of that of another', () => {
  async function open(): Promise<QueueFleet> {
    const fleet = await QueueFleet.open({ r: { limit: { gpuModels: { L40S: 2 } } }, s: {} });
    fleet.fixture.join('h', 1);
    join(fleet, 'l4', 'NVIDIA L4', 2);
    join(fleet, 'l40s', 'NVIDIA L40S', 8);
    await fleet.settle();
    return fleet;
  }

  test('does not let work pass the limit of that, nor get what it did not ask for', async () => {
    const fleet = await open();
    fleet.submit('s', 2, of(2, 'nvidia l4'));
    const works = Array.from({ length: 6 }, () => fleet.submit('r', 1, of(1, 'l4')).id);
    await fleet.settle(2000);
    const live = (node: string): number =>
      fleet.fleet.liveAttempts(`node-${node}`).filter(({ workloadId }) => works.includes(workloadId)).length;
    expect([live('l40s'), live('h')]).toEqual([2, 0]);
    await fleet.close();
  });

  test('is given where only the other is limited', async () => {
    const fleet = await open();
    fleet.submit('s', 1, of(1, 'h100'));
    for (let count = 0; count < 2; count += 1) fleet.submit('r', 1, of(1, 'l40s'));
    await fleet.settle(1000);
    const any = fleet.submit('r', 1, of(1));
    await fleet.settle(1000);
    expect(fleet.states(any)).toEqual(['reserved']);
    await fleet.close();
  });
});

test('work that may never have one model is made room for on others', async () => {
  const limited = { limit: { gpuModels: { A100: 2 } } };
  const fleet = await QueueFleet.open({ r: limited, s: { limit: { gpuModels: { H100: 100 } } } });
  fleet.fixture.join('h', 4);
  join(fleet, 'a100', 'NVIDIA A100', 4);
  await fleet.settle();
  const low = fleet.submit('r', 4, { ...of(4, 'h100'), priority: -5 });
  fleet.submit('s', 4, { ...of(4, 'a100'), priority: 100 });
  await fleet.settle();
  fleet.runAll();
  await fleet.settle();
  fleet.submit('r', 4, { ...of(4), priority: 9 });
  await fleet.settle(30_000);
  expect(fleet.states(low)).toEqual(['preempting']);
  await fleet.close();
});

test('a line lets go of those who left it, though others stay', async () => {
  const line = new TurnLine<InLine>();
  const gone: WeakRef<InLine>[] = [];
  for (let number = 0; number < 3; number += 1) line.push({ priority: 0, sinceMs: 0, number });
  for (let number = 3; number < 1000; number += 1) {
    const entry = { priority: 0, sinceMs: 1, number };
    gone.push(new WeakRef(entry));
    line.push(entry);
    line.delete(entry);
  }
  // In the turn in which a WeakRef is made its object stays.
  await new Promise((resolve) => setImmediate(resolve));
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  expect(gone.filter((one) => one.deref() !== undefined).length).toBeLessThan(100);
  expect(line.first?.number).toBe(0);
});
