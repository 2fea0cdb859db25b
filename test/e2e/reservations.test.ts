// Shows with real processes that a reservation keeps GPUs for the work of its queue, also when the gateway is
// killed, that maintenance takes work off its node in time, and what the command line says of all of it.
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { RealFleet } from './support/real-fleet.ts';
import { until } from './support/until.ts';

vi.setConfig({ testTimeout: 120_000 });

let fleet: RealFleet;
beforeAll(async () => {
  fleet = await RealFleet.open([
    { name: 'alpha', args: ['--simulate-gpus', '2xH100'] },
    { name: 'beta', args: ['--simulate-gpus', '2xA100'] },
  ]);
}, 120_000);
afterAll(() => fleet[Symbol.asyncDispose]());

const holding = (name: string): string => `while [ ! -e ${name}.go ]; do sleep 0.1; done`;
const reserving = ['reservation', 'create', 'launch', '--gpus', '2', '--gpu-type', 'H100', '--queue', 'team'];
const h100 = { gpus: 2, gpuModels: ['H100'] };

it('only work that ends before, then only that of the queue, over a kill of the gateway', async () => {
  await fleet.cli('queue', 'create', 'team');
  const created = await fleet.cli(...reserving, '--start', '+30s', '--duration', '10m');
  expect(created).toMatch(/launch is reserved from .* to .*\(in .*s, for 10m 00s\)/);
  expect(created).toContain('For          queue team');
  expect(await fleet.cli('reservation', 'list')).toMatch(/launch +upcoming .* queue team +2/);

  const own = await fleet.sh(holding('own'), { name: 'own', queue: 'team', resources: h100 });
  const foreign = await fleet.sh(holding('foreign'), { name: 'foreign', resources: h100 });
  const brief = await fleet.sh('echo brief', { resources: h100, timeoutMs: 5000, stopGraceMs: 1000 });
  await fleet.untilState(brief.id, 'succeeded');
  expect((await fleet.inspect(foreign.id)).waiting).toMatchObject({ reason: 'held' });
  const told = await fleet.cli('workload', 'why', 'foreign');
  expect(told).toMatch(/held by reservation launch until \d{4}-/);
  expect(told).toContain('clawbernetes reservation delete launch');

  await fleet.restartGateway('SIGKILL');
  expect(await fleet.cli(...reserving, '--start', '+30s', '--duration', '10m')).toContain(
    'launch is reserved',
  );
  await fleet.untilState(own.id, 'running');
  expect((await fleet.inspect(foreign.id)).state).toBe('queued');
  expect(await fleet.cli('reservation', 'show', 'launch')).toMatch(
    /State +active\.[^]*2: 2 in use by its queues/,
  );
  await fleet.letGo('own');
  await fleet.untilState(own.id, 'succeeded');
  expect((await fleet.inspect(foreign.id)).state).toBe('queued');
  expect(await fleet.cli('what-if', '--gpus', '2', '--gpu-type', 'H100')).toContain('reservation launch');
  expect(await fleet.cli('reservation', 'delete', 'launch')).toContain('free for all');
  await fleet.untilState(foreign.id, 'running');
  await fleet.letGo('foreign');
  await fleet.untilState(foreign.id, 'succeeded');
});

it('maintenance asks work to end in time, lets nothing in, and is over by itself', async () => {
  const script = `trap 'echo saved >> work.log; exit 143' TERM; echo begun >> work.log; ${holding('work')}`;
  const work = await fleet.sh(script, { name: 'work', nodeSelector: { node: 'beta' }, stopGraceMs: 2000 });
  await fleet.untilState(work.id, 'running');
  await until('it has begun', async () => (await fleet.file('work.log')) === 'begun\n');
  const created = await fleet.cli(
    ...['reservation', 'create', 'fan', '--maintenance', '--node', 'beta', '--start', '+6s'],
    ...['--duration', '15s', '--evict', '--notice', '1s'],
  );
  expect(created).toMatch(/work on beta has no time limit; it is asked to end at/);
  await fleet.untilState(work.id, 'queued');
  expect(await fleet.file('work.log')).toBe('begun\nsaved\n');
  expect(await fleet.cli('workload', 'why', 'work')).toContain('held by reservation fan until');
  await fleet.untilState(work.id, 'running');
  expect(await fleet.cli('reservation', 'list')).toContain('Nothing is reserved');
  const { events } = await fleet.inspect(work.id);
  expect(events.map(({ type }) => type)).toContain('workload.outlasts-reservation');
  await fleet.letGo('work');
  expect((await fleet.untilState(work.id, 'succeeded')).exitCode).toBe(0);
});

it('what cannot be is refused with the reason', async () => {
  await expect(fleet.cli(...reserving, '--start', '2026-03-29T08:00:00', '--duration', '1h')).rejects.toThrow(
    /a time with its offset such as/,
  );
  await expect(
    fleet.cli(
      'reservation',
      'create',
      'x',
      '--start',
      '+1h',
      '--duration',
      '1h',
      '--gpus',
      '9',
      '--queue',
      'team',
    ),
  ).rejects.toThrow(/asks for 9 × GPU/);
  await expect(fleet.cli('reservation', 'show', 'nix')).rejects.toThrow(/There is no reservation "nix"/);
});
