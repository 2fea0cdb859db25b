// Shows the hardware port of the agent on the real machine, and with a hung tool that is not asked twice.
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commands, nodeInventorySchema } from '@clawbernetes/protocol';
import { systemClock } from '@clawbernetes/kernel';
import { describe, expect, it, vi } from 'vitest';
import { MachineHardware } from '../../src/hardware/machine-hardware.ts';
import { nodeProbeProcesses } from '../../src/hardware/probe-processes.ts';
import { simulateGpus } from '../../src/hardware/simulated-gpus.ts';
import { FakeTools } from './fake-tools.ts';
import { fixturePath } from './fixtures.ts';

const output = commands['gpu.metrics'].output.pick({ gpus: true, system: true });
const executors = (): Promise<[]> => Promise.resolve([]);

describe('MachineHardware', () => {
  it('describes this very machine as the protocol wants it', async () => {
    const deps = { clock: systemClock, processes: nodeProbeProcesses(process.env), executors };
    await using hardware = await MachineHardware.open(deps, {
      platform: process.platform,
      diskPath: tmpdir(),
    });
    const inventory = await hardware.detect();
    expect(nodeInventorySchema.parse(inventory)).toBeDefined();
    expect(inventory.memoryMib).toBeGreaterThan(100);
    expect(inventory.disk.totalMib).toBeGreaterThan(0);
    const sample = await hardware.sample();
    expect(output.parse(sample)).toEqual(sample);
    expect(sample.gpus.length).toBeLessThanOrEqual(inventory.gpus.length);
  });

  it('samples the GPUs that it has detected', async () => {
    using tools = new FakeTools();
    const deps = { clock: systemClock, processes: nodeProbeProcesses({ PATH: tools.folder }, []), executors };
    const options = { platform: 'linux', diskPath: tools.folder, root: tools.root } as const;
    await using hardware = await MachineHardware.open(deps, {
      ...options,
      simulated: simulateGpus('2xH100'),
    });
    expect((await hardware.sample()).gpus).toEqual([]);
    await hardware.detect();
    const sample = await hardware.sample();
    expect(sample.gpus.map((gpu) => gpu.deviceId)).toEqual(['sim-gpu-0', 'sim-gpu-1']);
    expect(output.parse(sample)).toEqual(sample);
  });

  it('does not ask a tool that is stuck, and still samples the machine', async () => {
    using tools = new FakeTools();
    const real = nodeProbeProcesses({ PATH: tools.folder }, []);
    const pidFile = join(tools.folder, 'pid');
    tools.install(
      'nvidia-smi',
      `case "$*" in *--query-gpu=index*) /bin/cat '${fixturePath('nvidia/query-h100.csv')}' ;; ` +
        `*--query-gpu=uuid*) echo $$ >> ${pidFile}; exec /bin/sleep 60 ;; esac`,
    );
    // Signals are withheld: a process in a hung driver does not notice them either.
    const processes: typeof real = {
      start: (...args) => ({ ...real.start(...args), kill: () => undefined }),
    };
    const options = { platform: 'linux', diskPath: tools.folder, root: tools.root } as const;
    await using hardware = await MachineHardware.open({ clock: systemClock, processes, executors }, options);
    await hardware.detect();
    for (let round = 0; round < 2; round += 1) {
      const { gpus, system } = await hardware.sample();
      expect(gpus).toEqual([]);
      expect(system.memoryTotalMib).toBeGreaterThan(0);
    }
    const pids = readFileSync(pidFile, 'utf8').trim().split('\n').map(Number);
    expect(pids).toHaveLength(1);
    for (const pid of pids) process.kill(-pid, 'SIGKILL');
    await vi.waitFor(() => expect(() => process.kill(pids[0] ?? 0, 0)).toThrow(/ESRCH/));
  });
});
