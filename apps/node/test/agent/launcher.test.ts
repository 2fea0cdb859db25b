// Shows what the supervisor is told of a workload's GPUs: what the node knows of those granted, of no others.
import { silentLogger } from '@clawbernetes/kernel';
import { VirtualClock } from '@clawbernetes/kernel/testing';
import { workloadSpecSchema } from '@clawbernetes/protocol';
import { expect, test } from 'vitest';
import { AttemptBook } from '../../src/agent/attempt-book.ts';
import { Launcher } from '../../src/agent/launcher.ts';
import type { Launch } from '../../src/execution/executor.ts';
import { simulateGpus } from '../../src/hardware/simulated-gpus.ts';
import { acceptedStatus } from '../../src/supervisor/attempt-machine.ts';

type Order = Parameters<Launcher['start']>[0];

test('a launch carries the facts of the GPUs that it was granted', async () => {
  const launches: Launch[] = [];
  const supervisor = {
    launch: (launch: Launch) => {
      launches.push(launch);
      return Promise.resolve(acceptedStatus(launch, 0));
    },
    stop: () => Promise.resolve(),
    release: () => Promise.resolve(),
  };
  const { gpus } = simulateGpus('2xH100');
  const deps = { clock: new VirtualClock(), logger: silentLogger, book: new AttemptBook() };
  const contact = { lastMs: 7 };
  const launcher = new Launcher({ ...deps, supervisor, contact, gpus: () => gpus });
  const id = gpus[1]?.id ?? '';
  const spec = Buffer.from(JSON.stringify(workloadSpecSchema.parse({ image: 'busybox' })));
  const order = { attemptId: 'a-1', workloadId: 'w-1', namespace: 'default', spec, devices: [id] };
  await launcher.start({ ...order, epoch: { term: 1n, counter: 1n } } as unknown as Order).done;
  expect(launches).toMatchObject([
    { contactMs: 7, devices: [id], gpus: [{ id, index: 1, vendor: 'nvidia', simulated: true }] },
  ]);
  expect(launches[0]?.gpus).toHaveLength(1);
});
