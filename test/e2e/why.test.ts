// Shows with real processes that the reason for which a workload waits names the right node, that its remedy,
// once it is applied, starts the workload there, and that imagining changes nothing.
import type { CommandOutput } from '@clawbernetes/protocol';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { BINS, Program } from './support/program.ts';
import { RealFleet } from './support/real-fleet.ts';

vi.setConfig({ testTimeout: 120_000 });

let fleet: RealFleet;
beforeAll(async () => {
  fleet = await RealFleet.open([
    { name: 'alpha', args: ['--simulate-gpus', '4xH100', '--label', 'zone=eu'] },
    { name: 'beta', args: ['--simulate-gpus', '4xH100', '--label', 'zone=us'] },
    { name: 'gamma', args: ['--simulate-gpus', '2xA100', '--label', 'zone=eu'] },
  ]);
}, 120_000);
afterAll(() => fleet[Symbol.asyncDispose]());

/** Runs the command line as somebody would; answers what it printed. */
async function cli(...args: readonly string[]): Promise<string> {
  const env = { CLAWBERNETES_HOME: fleet.folder, CLAWBERNETES_TOKEN: fleet.token };
  const program = new Program(BINS.cli, [...args, '--gateway', fleet.client.url], { env });
  const code = await program.ended;
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}:\n${program.stderr}`);
  return program.stdout;
}

const HOLD = 'while [ ! -e why.go ]; do sleep 0.1; done';
const held = async (name: string, gpus: number, node: string, timeoutMs?: number) => {
  const { id } = await fleet.sh(HOLD, {
    ...{ name, resources: { gpus }, nodeSelector: { node } },
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
  return fleet.untilState(id, 'running');
};

it('names the node that lacks least and whom to wait for; once that has ended it starts there', async () => {
  await held('train-a', 1, 'alpha', 3_600_000);
  await held('train-b', 3, 'beta');
  const { id } = await fleet.sh(HOLD, { name: 'big', resources: { gpus: 4, gpuModels: ['H100'] } });

  const why = JSON.parse(await cli('workload', 'why', 'big', '-f', 'json')) as CommandOutput<'workload.why'>;
  expect(why).toEqual(await fleet.client.command('workload.why', { workload: id }));
  expect(why).toMatchObject({ workload: id, name: 'big', state: 'queued' });
  expect(why.waiting).toMatchObject({
    reason: 'waiting-for-capacity',
    nodes: 3,
    obstacles: [
      { code: 'gpus-in-use', nodes: 2 },
      { code: 'gpu-count', nodes: 1 },
    ],
    nearest: { node: 'alpha', obstacles: [{ code: 'gpus-in-use', needs: 4, has: 3 }] },
    start: { estimate: 'range' },
  });
  expect(why.waiting?.remedies[0]).toMatchObject({
    steps: [{ step: 'wait', node: 'alpha', until: [{ name: 'train-a' }] }],
    certain: true,
  });
  const text = await cli('workload', 'why', 'big');
  expect(text).toMatch(/Nearest +alpha has only 3 of the 4 GPUs it needs free\./);
  expect(text).toMatch(/Would help +• Wait for train-a on alpha to end\. It ends in (59m|1h)/);

  const imagined = await cli('what-if', 'without', 'train-a');
  expect(imagined).toContain('Once train-a has ended, 1 waiting workload would start: big on alpha.');
  expect((await fleet.inspect(id)).state).toBe('queued');

  await fleet.stop('train-a', { force: true });
  expect((await fleet.untilState(id, 'running')).attempt?.nodeName).toBe('alpha');
  const then = await fleet.client.command('workload.why', { workload: id });
  expect(then.placement).toMatchObject({ node: 'alpha', retried: true, candidates: 1 });
});

it('tells the command that helps; typed as it stands it starts the workload', async () => {
  await cli('node', 'cordon', 'gamma');
  const { id } = await fleet.sh(HOLD, { name: 'small', resources: { gpus: 1, gpuModels: ['A100'] } });
  const { waiting } = await fleet.client.command('workload.why', { workload: id });
  expect(waiting).toMatchObject({ reason: 'no-nodes', nearest: { node: 'gamma' } });
  const [remedy] = waiting?.remedies ?? [];
  expect(remedy).toMatchObject({ commands: ['clawbernetes node uncordon gamma'], certain: true });
  await cli(...(remedy?.commands[0] ?? '').split(' ').slice(1));
  expect((await fleet.untilState(id, 'running')).attempt?.nodeName).toBe('gamma');
});

it('says where more work would start, and what a drain would move, without doing either', async () => {
  const before = await fleet.client.command('event.list', { from: 0, limit: 1000 });
  const one = await cli('what-if', '--gpus', '1', '--gpu-type', 'A100');
  expect(one).toMatch(/^It would start now, on gamma, with GPUs \S+\.\n$/);
  const many = JSON.parse(
    await cli('what-if', '--gpus', '1', '--count', '3', '--node-selector', 'zone=us', '-f', 'json'),
  ) as CommandOutput<'fleet.what-if'>;
  expect(many).toMatchObject({ starts: [{ node: 'beta' }], waits: 2, waiting: { nodes: 3 } });
  expect(await cli('what-if', 'drain', 'gamma')).toMatch(
    /^Without gamma: nothing could move and 1 workload /,
  );
  const after = await fleet.client.command('event.list', { from: 0, limit: 1000 });
  expect(after.events).toEqual(before.events);
  await fleet.letGo('why');
});
