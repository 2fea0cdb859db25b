// Shows with real processes that work of higher priority takes the place of lower, which runs again later,
// also when the gateway is killed while the lower ends, and that a limit of a queue holds and can be raised.
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { RealFleet } from './support/real-fleet.ts';
import { until } from './support/until.ts';

vi.setConfig({ testTimeout: 120_000 });

let fleet: RealFleet;
beforeAll(async () => {
  fleet = await RealFleet.open([{ name: 'alpha', args: ['--simulate-gpus', '4xH100'] }]);
}, 120_000);
afterAll(() => fleet[Symbol.asyncDispose]());

const holding = (name: string): string => `while [ ! -e ${name}.go ]; do sleep 0.1; done`;

it('lower priority goes, is killed with the gateway in between, and runs again', async () => {
  await fleet.cli('queue', 'update', 'default', '--min-runtime', '0s');
  const slow = `trap 'while [ ! -e saved.go ]; do sleep 0.1; done; exit 143' TERM; echo begun >> low.log; ${holding('low')}`;
  const low = await fleet.sh(slow, {
    ...{ name: 'low', priority: -5, resources: { gpus: 4 }, stopGraceMs: 3_600_000 },
  });
  await fleet.untilState(low.id, 'running');
  await until('the low one has begun', async () => (await fleet.file('low.log')) === 'begun\n');

  const high = await fleet.sh(holding('high'), { name: 'high', priority: 5, resources: { gpus: 4 } });
  await fleet.untilState(low.id, 'preempting');
  expect(await fleet.cli('workload', 'why', 'low')).toContain(
    'high (queue default) of priority 5 takes its place',
  );
  await fleet.restartGateway('SIGKILL');
  expect((await fleet.inspect(high.id)).state).toBe('queued');
  expect((await fleet.inspect(low.id)).state).toBe('preempting');

  await fleet.letGo('saved');
  await fleet.untilState(high.id, 'running');
  const waits = await fleet.untilState(low.id, 'queued');
  expect(waits.waiting?.reason).toBe('waiting-for-capacity');
  expect(waits).toMatchObject({ preemptions: 1 });
  expect(waits.moves).toBeUndefined();
  await fleet.letGo('high');
  await fleet.untilState(low.id, 'running');
  await until('it has begun again', async () => (await fleet.file('low.log')) === 'begun\nbegun\n');
  const { events } = await fleet.inspect(low.id);
  expect(events.filter(({ cause }) => cause === 'preemptor').map(({ type }) => type)).toContain(
    'attempt.evicted',
  );
  await fleet.letGo('low');
  expect((await fleet.untilState(low.id, 'succeeded')).exitCode).toBe(0);
});

it('a limit holds, says so in words, and lets more start as soon as it is raised', async () => {
  await fleet.cli('queue', 'create', 'research');
  await fleet.cli('queue', 'create', 'research/training', '--limit', 'h100=2');
  const works = await Promise.all(
    ['one', 'two', 'three'].map(async (name) =>
      fleet.sh(holding('limits'), { name, queue: 'research/training', resources: { gpus: 1 } }),
    ),
  );
  const states = async () => Promise.all(works.map(async ({ id }) => (await fleet.inspect(id)).state));
  await until('two run', async () => (await states()).filter((state) => state === 'running').length === 2);
  const waits = works[(await states()).indexOf('queued')]!;
  expect((await fleet.inspect(waits.id)).waiting?.reason).toBe('waiting-for-quota');
  expect(await fleet.cli('workload', 'why', waits.id)).toMatch(
    /queue research\/training may use 2 × h100, of which 2 × h100 are in use/,
  );
  expect(await fleet.cli('queue', 'list')).toMatch(/research\/training +2 GPUs, 2 h100 .* 2 h100 .* 1$/m);
  const lowered = await fleet.cli('queue', 'update', 'research/training', '--limit', 'h100=1');
  expect(lowered).toContain('nothing is stopped for that');
  expect((await states()).filter((state) => state === 'running')).toHaveLength(2);
  await fleet.cli('queue', 'update', 'research/training', '--limit', 'h100=3');
  await fleet.untilState(waits.id, 'running');
  await fleet.letGo('limits');
  for (const { id } of works) await fleet.untilState(id, 'succeeded');
  await fleet.cli('queue', 'delete', 'research/training');
  expect(await fleet.cli('queue', 'list')).not.toContain('training');
});

it('an unknown queue is refused with the nearest name', async () => {
  await expect(fleet.cli('run', '--queue', 'reserch', '--', 'true')).rejects.toThrow(
    /There is no queue "reserch"\. Did you mean "research"\?/,
  );
});
