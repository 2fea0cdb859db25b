// Shows with real processes that shares of a GPU go together on one, that what finds no room says how much is
// free of which, that MIG instances and NVLink are kept to, and that everybody can see who holds what.
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { BINS, Program } from './support/program.ts';
import { RealFleet } from './support/real-fleet.ts';

vi.setConfig({ testTimeout: 120_000 });

let fleet: RealFleet;
beforeAll(async () => {
  fleet = await RealFleet.open([
    { name: 'alpha', args: ['--simulate-gpus', '2xH100'] },
    { name: 'beta', args: ['--simulate-gpus', '1xA100-80GB/3g.40gb/1g.10gb,2xL4'] },
  ]);
}, 120_000);
afterAll(() => fleet[Symbol.asyncDispose]());

async function cli(...args: readonly string[]): Promise<string> {
  const env = { CLAWBERNETES_HOME: fleet.folder, CLAWBERNETES_TOKEN: fleet.token };
  const program = new Program(BINS.cli, ['--gateway', fleet.client.url, ...args], { env });
  const code = await program.ended;
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}:\n${program.stderr}`);
  return program.stdout;
}

const HOLD = 'while [ ! -e shares.go ]; do sleep 0.1; done';
const HOPPER = { gpuModels: ['H100'] };

it('shares fill one GPU; the rest waits, and says what is free; an end makes room', async () => {
  const whole = await fleet.sh(HOLD, { name: 'whole', resources: { gpus: 1, ...HOPPER } });
  await fleet.untilState(whole.id, 'running');
  await cli(
    'run',
    '-d',
    '--name',
    'first',
    '--gpu-share',
    '0.4',
    '--gpu-type',
    'H100',
    '--',
    'sh',
    '-c',
    HOLD,
  );
  const first = await fleet.untilState('first', 'running');
  const { id } = await fleet.sh(HOLD, { name: 'second', resources: { gpuMilli: 500, ...HOPPER } });
  const second = await fleet.untilState(id, 'running');

  expect(second.attempt?.devices).toEqual(first.attempt?.devices);
  expect(second.attempt).toMatchObject({ nodeName: 'alpha', gpuMilli: 500 });
  expect(second.attempt?.limitations.join()).toContain('GPU share is not enforced');

  const third = await fleet.sh(HOLD, { name: 'third', resources: { gpuMilli: 200, ...HOPPER } });
  const { waiting } = await fleet.client.command('workload.why', { workload: third.id });
  expect(waiting).toMatchObject({
    reason: 'waiting-for-capacity',
    nearest: { node: 'alpha', obstacles: [{ code: 'gpu-share-in-use', needs: 200, has: 100 }] },
  });
  expect(waiting?.message).toContain('the most that is free of one is 10 %, on alpha');
  expect(waiting?.remedies.flatMap(({ steps }) => steps)).toContainEqual({
    step: 'ask-gpu-share',
    gpuMilli: 100,
  });

  const { gpus, free } = await fleet.client.command('node.info', { node: 'alpha' });
  expect(free.gpus).toBe(0);
  const shared = gpus.find(({ shares }) => shares);
  expect(shared).toMatchObject({ state: 'in-use', freeMilli: 100 });
  expect(shared?.shares?.map(({ workloadId, gpuMilli }) => [workloadId, gpuMilli])).toEqual([
    [first.id, 400],
    [second.id, 500],
  ]);
  expect(await cli('gpu', 'list')).toMatch(/in-use, 10 % free/);
  expect(await cli('workload', 'status', 'second')).toMatch(/50 % of GPU sim-gpu-\d/);

  expect(await cli('workload', 'why', 'second')).toMatch(/Placed on +alpha, 50 % of GPU sim-gpu-\d/);
  expect(await cli('what-if', '--gpu-share', '10%', '--gpu-type', 'H100')).toContain(', with 10 % of GPU');

  await fleet.stop('first', { force: true });
  expect((await fleet.untilState(third.id, 'running')).attempt?.devices).toEqual(second.attempt?.devices);
  for (const name of ['whole', 'second', 'third']) await fleet.stop(name, { force: true });
  await fleet.untilAllFree();
});

it('a MIG instance is given to who asks for its profile, and to nobody else', async () => {
  await cli('run', '-d', '--name', 'slice', '--mig', '3g.40gb', '--', 'sh', '-c', HOLD);
  const slice = await fleet.untilState('slice', 'running');
  expect(slice.attempt).toMatchObject({ nodeName: 'beta', devices: ['sim-gpu-0-mig-0'] });
  const again = await fleet.sh(HOLD, { resources: { gpus: 1, migProfile: '3g.40gb' } });
  expect((await fleet.inspect(again.id)).waiting).toMatchObject({ reason: 'waiting-for-capacity' });
  const none = await fleet.sh(HOLD, { resources: { gpus: 1, migProfile: '7g.80gb' } });
  const { waiting } = await fleet.inspect(none.id);
  expect(waiting?.reason).toBe('never-fits');
  expect(waiting?.message).toContain('there are instances of 1g.10gb, 3g.40gb');
  // The GPU that is cut up is nobody's.
  const cut = await fleet.sh(HOLD, { resources: { gpus: 1, gpuModels: ['A100'] } });
  expect((await fleet.inspect(cut.id)).waiting?.reason).toBe('never-fits');
  for (const one of ['slice', again.id, none.id, cut.id]) await fleet.stop(one, { force: true });
  await fleet.untilAllFree();
});

it('GPUs that have to reach each other over NVLink are on a node where they do', async () => {
  const joined = await fleet.sh(HOLD, { resources: { gpus: 2, nvlink: 'required' } });
  expect((await fleet.untilState(joined.id, 'running')).attempt?.nodeName).toBe('alpha');
  const apart = await fleet.sh(HOLD, { resources: { gpus: 2, gpuModels: ['L4'], nvlink: 'required' } });
  const { waiting } = await fleet.client.command('workload.why', { workload: apart.id });
  expect(waiting).toMatchObject({ reason: 'never-fits' });
  expect(waiting?.message).toContain('no node has 2 such GPUs that NVLink joins');
  expect(waiting?.remedies[0]?.message).toMatch(/only prefer NVLink|1 instead of 2/i);
  for (const { id } of [joined, apart]) await fleet.stop(id, { force: true });
  await fleet.untilAllFree();
});
