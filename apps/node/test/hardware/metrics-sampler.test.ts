// Shows that a sample always has the machine's own numbers, whatever the vendors' tools do.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '@clawbernetes/kernel';
import { commands, nodeInventorySchema, type GpuDevice } from '@clawbernetes/protocol';
import { VirtualClock } from '@clawbernetes/kernel/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { detectHardware } from '../../src/hardware/detect-hardware.ts';
import { MetricsSampler } from '../../src/hardware/metrics-sampler.ts';
import { nodeProbeProcesses } from '../../src/hardware/probe-processes.ts';
import { ProbeRunner } from '../../src/hardware/probe-runner.ts';
import { simulateGpus } from '../../src/hardware/simulated-gpus.ts';
import { DiskProbe } from '../../src/hardware/system-facts.ts';
import { FakeTools } from './fake-tools.ts';
import { fixturePath } from './fixtures.ts';

const H100: GpuDevice = {
  id: 'GPU-00000000-0000-0000-0000-000000000000',
  index: 0,
  vendor: 'nvidia',
  model: 'NVIDIA H100 80GB HBM3',
  memoryMib: 81_559,
  health: { state: 'healthy' },
  simulated: false,
};
const MI355X: GpuDevice = { ...H100, id: '0000:05:00.0', vendor: 'amd', model: 'AMD Instinct MI355X' };
const MI100: GpuDevice = { ...H100, id: '0000:a3:00.0', index: 1, vendor: 'amd', model: 'Instinct MI100' };

let tools: FakeTools;
beforeEach(() => {
  tools = new FakeTools();
  tools.write('proc/meminfo', 'MemTotal:       2113929216 kB\nMemAvailable:   2013929216 kB\n');
  tools.write('proc/stat', 'cpu  100 0 100 800 0 0 0 0 0 0\n');
});
afterEach(() => tools[Symbol.dispose]());

async function open(probes: ProbeRunner = tools.runner()): Promise<MetricsSampler> {
  const clock = systemClock;
  return await MetricsSampler.open(
    { clock, probes, disk: new DiskProbe({ clock }, tools.folder) },
    { root: tools.root },
  );
}

describe('the machine', () => {
  it('shows CPU use between two samples, memory and disk', async () => {
    const sampler = await open();
    tools.write('proc/stat', 'cpu  150 0 150 900 0 0 0 0 0 0\n');
    const { gpus, system } = await sampler.sample([]);
    expect(gpus).toEqual([]);
    expect(system.cpuPercent).toBe(50);
    expect(system.memoryTotalMib).toBe(2_064_384);
    expect(system.memoryUsedMib).toBe(97_657);
    expect(system.diskUsedMib).toBeLessThanOrEqual(system.diskTotalMib);
    tools.write('proc/stat', 'cpu  150 0 150 1000 0 0 0 0 0 0\n');
    expect((await sampler.sample([])).system.cpuPercent).toBe(0);
  });
});

describe('real GPUs', () => {
  it('are read by nvidia-smi', async () => {
    tools.install('nvidia-smi', `/bin/cat '${fixturePath('nvidia/metrics-h100.csv')}'`);
    const { gpus } = await (await open()).sample([H100]);
    expect(gpus).toMatchObject([{ deviceId: H100.id, temperatureC: 41, powerW: 69.85 }]);
  });

  it('are not listed if the inventory does not know them', async () => {
    tools.install('nvidia-smi', `/bin/cat '${fixturePath('nvidia/metrics-h100.csv')}'`);
    const { gpus } = await (await open()).sample([{ ...H100, id: 'GPU-another' }]);
    expect(gpus).toEqual([]);
  });

  it('are read by amd-smi, or by rocm-smi', async () => {
    tools.install('amd-smi', `/bin/cat '${fixturePath('amd/amd-smi-metric-mi355x.json')}'`);
    expect((await (await open()).sample([MI355X])).gpus).toMatchObject([
      { deviceId: MI355X.id, powerW: 239 },
    ]);
    tools.install('amd-smi', 'exit 1');
    tools.install('rocm-smi', `/bin/cat '${fixturePath('amd/rocm-smi-mi100.json')}'`);
    expect((await (await open()).sample([MI100])).gpus).toMatchObject([
      { deviceId: MI100.id, temperatureC: 58 },
    ]);
  });

  it('start no tool on a machine that has none', async () => {
    tools.install('nvidia-smi', `echo started >> ${tools.folder}/started`);
    tools.install('amd-smi', `echo started >> ${tools.folder}/started`);
    await (await open()).sample(simulateGpus('2xH100').gpus);
    expect(() => readFileSync(join(tools.folder, 'started'))).toThrow(/ENOENT/);
  });
});

describe('a tool that hangs', () => {
  it('costs its own readings only', async () => {
    tools.install('nvidia-smi', 'exec /bin/sleep 60');
    tools.install('amd-smi', `/bin/cat '${fixturePath('amd/amd-smi-metric-mi355x.json')}'`);
    const sampler = await open(tools.runner({ deadlineMs: 2_000, graceMs: 100 }));
    const { gpus, system } = await sampler.sample([H100, MI355X]);
    expect(gpus.map((gpu) => gpu.deviceId)).toEqual([MI355X.id]);
    expect(system.memoryTotalMib).toBe(2_064_384);
  });
});

describe('a tool that cannot be killed', () => {
  it('is not asked again, and the machine is sampled all the same', async () => {
    tools.install('nvidia-smi', `echo $$ >> ${tools.folder}/pids; exec /bin/sleep 60`);
    const real = nodeProbeProcesses({ PATH: tools.folder }, []);
    // Signals are withheld: a process in a hung driver does not notice them either.
    const processes: typeof real = {
      start: (...args) => ({ ...real.start(...args), kill: () => undefined }),
    };
    const clock = new VirtualClock();
    const probes = new ProbeRunner({ clock, processes });
    const deps = { clock, probes, disk: new DiskProbe({ clock }, tools.folder) };
    const sampler = await MetricsSampler.open(deps, { root: tools.root });
    const pids = (): number[] =>
      readFileSync(join(tools.folder, 'pids'), 'utf8').trim().split('\n').map(Number);
    const first = sampler.sample([H100]);
    await vi.waitFor(() => expect(pids()[0]).toBeGreaterThan(0));
    await clock.advance(4_000);
    for (const sample of [await first, await sampler.sample([H100])]) {
      expect(sample.gpus).toEqual([]);
      expect(sample.system.memoryTotalMib).toBe(2_064_384);
    }
    expect(pids()).toHaveLength(1);
    process.kill(-(pids()[0] ?? 0), 'SIGKILL');
    await vi.waitFor(() => expect(probes.isStuck('nvidia-smi')).toBe(false));
  });
});

describe('this very machine', () => {
  it('is described and sampled as the protocol wants it', async () => {
    const clock = systemClock;
    await using probes = new ProbeRunner({ clock, processes: nodeProbeProcesses(process.env) });
    const deps = { clock, probes, disk: new DiskProbe({ clock }, tools.folder) };
    const inventory = await detectHardware(deps, { platform: process.platform });
    expect(nodeInventorySchema.parse({ ...inventory, executors: [] })).toBeDefined();
    expect(inventory.memoryMib).toBeGreaterThan(100);
    const sampler = await MetricsSampler.open(deps);
    const sample = await sampler.sample([...inventory.gpus, ...simulateGpus('1xH100').gpus]);
    expect(commands['gpu.metrics'].output.pick({ gpus: true, system: true }).parse(sample)).toEqual(sample);
  });
});

describe('an AMD tool that hangs', () => {
  it('is not followed by the other one, for which there would be no time', async () => {
    tools.install('amd-smi', `echo $$ > ${tools.folder}/pid; exec /bin/sleep 60`);
    tools.install('rocm-smi', `echo started > ${tools.folder}/started`);
    const clock = new VirtualClock();
    const probes = new ProbeRunner({ clock, processes: nodeProbeProcesses({ PATH: tools.folder }, []) });
    const sampler = await MetricsSampler.open({
      clock,
      probes,
      disk: new DiskProbe({ clock }, tools.folder),
    });
    const sampling = sampler.sample([MI355X]);
    await vi.waitFor(() => expect(readFileSync(join(tools.folder, 'pid'), 'utf8')).not.toBe(''));
    await clock.advance(3_000);
    expect((await sampling).gpus).toEqual([]);
    expect(() => readFileSync(join(tools.folder, 'started'))).toThrow(/ENOENT/);
  });
});

describe('simulated GPUs', () => {
  it('show work', async () => {
    const { gpus } = await (await open()).sample(simulateGpus('8xH100').gpus);
    expect(gpus).toHaveLength(8);
    expect(new Set(gpus.map((gpu) => gpu.utilizationPercent)).size).toBeGreaterThan(1);
  });
});

describe('a file system that fails', () => {
  it('shows no space and does not spoil the sample', async () => {
    writeFileSync(join(tools.folder, 'file'), '');
    const clock = systemClock;
    const disk = new DiskProbe({ clock }, join(tools.folder, 'file', 'below'));
    const sampler = await MetricsSampler.open({ clock, probes: tools.runner(), disk }, { root: tools.root });
    expect((await sampler.sample([])).system).toMatchObject({ diskTotalMib: 0, memoryTotalMib: 2_064_384 });
  });
});
