// Shows how two nodes share work: GPUs are never given twice, drained nodes get nothing, unknown ones wait
// for approval.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { hasEnded } from '@clawbernetes/protocol/workload-state';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { RealFleet } from './support/real-fleet.ts';
import { until } from './support/until.ts';

vi.setConfig({ testTimeout: 120_000 });
const SIMULATE = ['--simulate-gpus', '2xH100'];

let fleet: RealFleet;
beforeAll(async () => {
  fleet = await RealFleet.open([
    { name: 'alpha', args: SIMULATE },
    { name: 'beta', args: [...SIMULATE, '--label', 'zone=b'] },
  ]);
});
afterAll(() => fleet[Symbol.asyncDispose]());

const HOLD = 'env > $CLAWBERNETES_WORKLOAD_ID.env; while [ ! -e release.go ]; do sleep 0.1; done';
const oneGpu = { resources: { gpus: 1 } };

it('no GPU is held twice, what does not fit waits and says why, and simulated ones are marked everywhere', async () => {
  const held = await Promise.all([1, 2, 3, 4].map(async () => fleet.sh(HOLD, oneGpu)));
  const views = await Promise.all(held.map(async ({ id }) => fleet.untilState(id, 'running')));
  const devices = views.map(({ attempt }) => `${attempt?.nodeName} ${attempt?.devices.join()}`);
  expect(new Set(devices).size).toBe(4);
  expect(views.every(({ simulated }) => simulated)).toBe(true);

  const status = await fleet.client.command('fleet.status', {});
  expect(status.gpus).toEqual({ total: 4, free: 0, simulated: 4 });
  const { nodes } = await fleet.client.command('node.list', {});
  for (const { simulated, gpus, free, capacity } of nodes) {
    expect(simulated).toBe(true);
    expect(gpus.map((gpu) => `${gpu.simulated} ${gpu.state}`)).toEqual(['true in-use', 'true in-use']);
    expect([capacity.gpus, free.gpus]).toEqual([2, 0]);
  }
  const waiting = await fleet.sh('true', oneGpu);
  expect((await fleet.inspect(waiting.id)).waiting).toMatchObject({ reason: 'waiting-for-capacity' });
  const impossible = await fleet.sh('true', { resources: { gpus: 3 } });
  expect((await fleet.inspect(impossible.id)).waiting).toMatchObject({ reason: 'never-fits' });
  await fleet.stop(impossible.id);

  for (const { id, attempt } of views) {
    const environment = await fleet.file(`${id}.env`);
    for (const device of attempt?.devices ?? []) expect(environment).not.toContain(device);
    expect(environment).not.toMatch(/^(CUDA|NVIDIA|HIP|ROCR)_VISIBLE_DEVICES=.*\d/m);
  }
  for (const { id } of held) await fleet.stop(id, { force: true });
  expect(await fleet.end(waiting.id)).toMatchObject({ state: 'succeeded' });
  await fleet.untilAllFree();
});

it('a hundred short jobs over both: at no time more than there is, and each runs once', async () => {
  const script = 'echo $CLAWBERNETES_WORKLOAD_ID >> jobs.ran';
  const jobs = await Promise.all(Array.from({ length: 100 }, async () => fleet.sh(script, oneGpu)));
  await until('all have ended', async () => {
    const { nodes } = await fleet.client.command('node.list', {});
    for (const { free, attempts } of nodes) expect(free.gpus + attempts).toBeGreaterThanOrEqual(2);
    const { workloads } = await fleet.client.command('workload.list', { limit: 100 });
    return workloads.every(({ state }) => hasEnded(state));
  });
  const ran = (await fleet.file('jobs.ran')).trim().split('\n');
  expect(ran.toSorted()).toEqual(jobs.map(({ id }) => id).toSorted());
  await fleet.untilAllFree();
});

it('a drained node ends what it has and gets nothing more until it is undrained', async () => {
  const onBeta = await fleet.sh('while [ ! -e drained.go ]; do sleep 0.1; done', {
    nodeSelector: { zone: 'b' },
  });
  await fleet.untilState(onBeta.id, 'running');
  expect(await fleet.client.command('node.drain', { node: 'beta' })).toMatchObject({
    eligibility: 'draining',
  });
  const next = await fleet.sh('true', { nodeSelector: { zone: 'b' } });
  const elsewhere = await fleet.sh('true');
  expect((await fleet.end(elsewhere.id)).attempt?.nodeName).toBe('alpha');
  expect((await fleet.inspect(next.id)).state).toBe('queued');
  await fleet.sh('touch drained.go');
  expect(await fleet.end(onBeta.id)).toMatchObject({ state: 'succeeded' });
  await until('beta is drained', async () => {
    const { eligibility } = await fleet.client.command('node.info', { node: 'beta' });
    return eligibility === 'drained';
  });
  // Neither the gateway nor the node forget it by starting again.
  await fleet.restartGateway();
  expect(await fleet.client.command('node.info', { node: 'beta' })).toMatchObject({ eligibility: 'drained' });
  expect((await fleet.inspect(next.id)).state).toBe('queued');
  await fleet.client.command('node.undrain', { node: 'beta' });
  expect((await fleet.end(next.id)).attempt?.nodeName).toBe('beta');
});

it('drain --force stops what runs there', async () => {
  const { id } = await fleet.sh('sleep 300', { nodeSelector: { zone: 'b' }, stopGraceMs: 1000 });
  await fleet.untilState(id, 'running');
  await fleet.client.command('node.drain', { node: 'beta', force: true });
  expect((await fleet.end(id)).state).toMatch(/cancelled|failed/);
  await fleet.client.command('node.undrain', { node: 'beta' });
});

it('a node without a token waits, gets no work, and is let in by its name once approved', async () => {
  const gamma = await fleet.addNode({ name: 'gamma', token: false, args: ['--label', 'zone=c'] });
  await until('it waits for approval', async () => {
    const { nodes } = await fleet.client.command('node.pending', {});
    return nodes.some(({ name, approved }) => name === 'gamma' && !approved);
  });
  await gamma.agent?.says(/clawbernetes node approve/);
  const { id } = await fleet.sh('true', { nodeSelector: { zone: 'c' } });
  expect((await fleet.inspect(id)).state).toBe('queued');
  const approved = await fleet.client.command('node.approve', { node: 'gamma' });
  expect(approved.fingerprint).not.toBe('');
  await gamma.untilConnected();
  expect(await fleet.end(id)).toMatchObject({ state: 'succeeded' });
  // Its grant is kept: it comes back without asking again.
  await gamma.restart();
  const membership = await readFile(path.join(gamma.home, 'node', 'membership.json'), 'utf8');
  expect(JSON.parse(membership)).toHaveProperty('grant');
});
