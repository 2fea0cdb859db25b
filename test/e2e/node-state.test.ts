// Shows how a real fleet treats its nodes: cordon, a drain with a deadline, taints, and broken GPUs
// (simulated ones, labelled so) whose work goes on elsewhere.
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { NodeView } from '@clawbernetes/protocol';
import { HeldWork } from './support/held-work.ts';
import { BINS, Program } from './support/program.ts';
import { RealFleet } from './support/real-fleet.ts';
import { until } from './support/until.ts';

vi.setConfig({ testTimeout: 120_000 });

let fleet: RealFleet;
let faults: string;
beforeAll(async () => {
  fleet = await RealFleet.open([], { gatewayArgs: ['--gpu-probation', '2s'] });
  faults = path.join(fleet.folder, 'faults.json');
  const args = ['--simulate-gpus', '4xH100'];
  const config = `[gpu]\nsimulate_faults = ${JSON.stringify(faults)}\n`;
  await fleet.addNode({ name: 'alpha', args, config });
  await fleet.addNode({ name: 'beta', args: ['--simulate-gpus', '1xH100'] });
});
afterAll(() => fleet[Symbol.asyncDispose]());

const onGpu = { resources: { gpus: 1 } };
const info = (node: string): Promise<NodeView> => fleet.client.command('node.info', { node });

async function cli(...args: string[]): Promise<string> {
  const env = { CLAWBERNETES_GATEWAY: fleet.client.url, CLAWBERNETES_TOKEN: fleet.token, COLUMNS: '200' };
  const program = new Program(BINS.cli, args, { env });
  if ((await program.ended) !== 0) throw new Error(`${args.join(' ')}: ${program.stderr}`);
  return program.stdout;
}

/** Breaks alpha's GPUs so, and lets its agent look at them. */
async function breakGpus(broken: Readonly<Record<number, unknown>>): Promise<void> {
  await writeFile(faults, JSON.stringify(broken));
  await fleet.client.command('system.info', { node: 'alpha' });
}

async function startsOn(node: string, name: string): Promise<HeldWork> {
  const work = await HeldWork.submit(fleet, name, { spec: { ...onGpu, nodeSelector: { zone: node } } });
  await work.hasBegun();
  await fleet.untilState(work.id, 'running');
  return work;
}

async function movedTo(work: HeldWork, node: string): Promise<void> {
  await until(
    () => `${work.name} runs on ${node}`,
    async () => {
      const { state, attempt } = await fleet.inspect(work.id);
      return state === 'running' && attempt?.nodeName === node;
    },
  );
}

it('cordon: what runs there runs on, new work waits and says what to do', async () => {
  for (const node of ['alpha', 'beta']) await cli('node', 'label', node, `zone=${node}`);
  const work = await startsOn('beta', 'cordoned');
  expect(await cli('node', 'cordon', 'beta')).toMatch(/beta is cordoned: 1 workload still on it/);
  const next = await fleet.sh('true', { nodeSelector: { zone: 'beta' } });
  expect((await fleet.inspect(next.id)).waiting?.message).toContain('clawbernetes node uncordon beta');
  expect(await cli('node', 'list')).toMatch(/beta.*cordoned/);
  await cli('node', 'uncordon', 'beta');
  expect(await fleet.end(next.id)).toMatchObject({ state: 'succeeded' });
  await work.letGo();
  await work.endsWhole();
});

it('drain: at the deadline what still runs begins anew on another node, and the node is drained', async () => {
  const work = await startsOn('beta', 'drained');
  await fleet.client.command('node.label', { node: 'alpha', set: { zone: 'beta' } });
  expect(await cli('node', 'drain', 'beta', '--deadline', '1s')).toMatch(/moved to other nodes after/);
  await movedTo(work, 'alpha');
  expect(await work.starts()).toBe(2);
  expect(await fleet.inspect(work.id)).toMatchObject({
    moves: 1,
    attempts: [{ number: 1, state: 'killed', evicted: { cause: 'user' } }, { number: 2 }],
  });
  await until('beta is drained', async () => (await info('beta')).eligibility === 'drained');
  await work.letGo();
  expect(await fleet.end(work.id)).toMatchObject({ state: 'succeeded', exitCode: 0 });
  await cli('node', 'uncordon', 'beta');
  await fleet.client.command('node.label', { node: 'alpha', set: { zone: 'alpha' } });
});

it('taint: only what tolerates it comes, and no-execute moves the rest', async () => {
  const work = await startsOn('beta', 'tainted');
  await fleet.client.command('node.label', { node: 'alpha', set: { zone: 'beta' } });
  await cli('node', 'taint', 'beta', 'repair=fan:no-execute');
  await movedTo(work, 'alpha');
  const tolerated = await fleet.sh('true', {
    nodeSelector: { node: 'beta' },
    tolerations: [{ key: 'repair' }],
  });
  expect(await fleet.end(tolerated.id)).toMatchObject({ state: 'succeeded' });
  expect(await cli('node', 'info', 'beta')).toContain('repair=fan:no-execute');
  await cli('node', 'taint', 'beta', 'repair-');
  await work.letGo();
  expect(await fleet.end(work.id)).toMatchObject({ state: 'succeeded' });
  await fleet.client.command('node.label', { node: 'alpha', set: { zone: 'alpha' } });
});

it('a GPU fault: its GPU is out and its work goes on with another; without faults it comes back by itself', async () => {
  const work = await startsOn('alpha', 'faulted');
  const [device = ''] = (await fleet.inspect(work.id)).attempt?.devices ?? [];
  const index = Number(device.slice('sim-gpu-'.length));
  await breakGpus({ [index]: { xid: 79, at: 1 } });
  await until('it runs on another GPU', async () => {
    const { state, attempt } = await fleet.inspect(work.id);
    return state === 'running' && attempt !== undefined && !attempt.devices.includes(device);
  });
  expect(await fleet.inspect(work.id)).toMatchObject({
    attempts: [{ evicted: { cause: 'health' } }, { number: 2 }],
  });
  expect(await info('alpha')).toMatchObject({ health: 'degraded', capacity: { gpus: 3 }, simulated: true });
  const four = await fleet.sh('true', { resources: { gpus: 4 } });
  expect((await fleet.inspect(four.id)).waiting?.message).toContain('1 of them is quarantined');
  expect(await cli('gpu', 'list')).toMatch(/simulated.*quarantined.*Xid 79.*Needs drain-reboot/);
  await work.letGo();
  await fleet.end(work.id);

  await breakGpus({});
  expect(await fleet.end(four.id)).toMatchObject({ state: 'succeeded' });
  const { events } = await fleet.client.command('event.list', {
    ...{ subject: (await info('alpha')).id, newest: true },
  });
  const gpuEvents = events.map(({ type }) => type).filter((type) => type.startsWith('gpu.'));
  expect(gpuEvents).toEqual(['gpu.quarantined', 'gpu.probation', 'gpu.healthy']);
});

it('a GPU that is gone is missing until a person stops expecting it', async () => {
  await breakGpus({ 3: 'missing' });
  await until('it is missing', async () =>
    (await info('alpha')).gpus.some(({ state }) => state === 'missing'),
  );
  const { warnings } = await fleet.client.command('fleet.status', {});
  expect(warnings.join()).toContain('GPU 3 is missing');
  expect(await cli('gpu', 'release', 'alpha', '3')).toContain('was released');
  expect(await info('alpha')).toMatchObject({ health: 'healthy', capacity: { gpus: 3 } });
});

it('a drained node retires, and what is not supported yet is refused by name', async () => {
  await expect(cli('node', 'retire', 'beta')).rejects.toThrow(/Drain it first/);
  await cli('node', 'drain', 'beta');
  await cli('node', 'retire', 'beta');
  expect((await fleet.client.command('fleet.status', {})).nodes.total).toBe(1);
  const together = { gang: { members: 2, topology: { level: 'numa' as const } } };
  await expect(fleet.sh('true', together)).rejects.toMatchObject({ code: 'not-supported' });
});
