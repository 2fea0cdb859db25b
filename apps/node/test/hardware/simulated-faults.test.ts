// Shows that simulated GPUs break as a file says, and that a file that cannot be read is told.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { gpuDeviceSchema } from '@clawbernetes/protocol';
import { simulateGpus } from '../../src/hardware/simulated-gpus.ts';
import { withSimulatedFaults } from '../../src/hardware/simulated-faults.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'faults-'));
});
afterAll(async () => rm(folder, { recursive: true }));

async function withFaults(text: string, gpus = '4xH100'): ReturnType<typeof withSimulatedFaults> {
  const file = path.join(folder, 'faults.json');
  await writeFile(file, text);
  return withSimulatedFaults(simulateGpus(gpus), file);
}

it('breaks some and takes others away, and they stay labelled', async () => {
  const { gpus, links } = await withFaults('{"1": {"xid": 79, "at": 12}, "2": "missing", "3": "ecc"}');
  expect(gpus.map((gpu) => [gpu.index, gpu.health.state, gpu.faults?.map(({ key }) => key)])).toEqual([
    [0, 'healthy', undefined],
    [1, 'unhealthy', ['xid-79@12']],
    [3, 'unhealthy', ['ecc-row-remap']],
  ]);
  expect(links).toHaveLength(6);
  for (const gpu of gpus) expect(gpuDeviceSchema.parse(gpu).simulated).toBe(true);
});

it('gives a MIG instance what its GPU has, whatever its own number', async () => {
  const cut = '3xA100/1g.10gb/1g.10gb/1g.10gb';
  const { gpus } = await withFaults('{"0": {"xid": 79}, "2": "missing"}', cut);
  const instances = gpus.filter((gpu) => gpu.parentId !== undefined);
  expect(instances.map(({ parentId, health }) => `${parentId} ${health.state}`)).toEqual([
    ...Array.from({ length: 3 }, () => 'sim-gpu-0 unhealthy'),
    ...Array.from({ length: 3 }, () => 'sim-gpu-1 healthy'),
  ]);
});

it('breaks nothing without a file', async () => {
  const gpus = simulateGpus('2xH100');
  expect(await withSimulatedFaults(gpus, path.join(folder, 'none'))).toEqual(gpus);
});

it.each(['{', '[1]', '{"x": "ecc"}', '{"1": "melted"}', '{"1": {"xid": 0}}'])('refuses %s', async (text) => {
  await expect(withFaults(text)).rejects.toThrow(/faults\.json/);
});
