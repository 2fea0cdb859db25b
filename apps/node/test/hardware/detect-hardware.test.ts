// Shows what a node's inventory holds, with vendor tools played by real processes, hung and broken ones too.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeInventorySchema } from '@clawbernetes/protocol';
import { systemClock } from '@clawbernetes/kernel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  detectHardware,
  type DetectHardwareOptions,
  type HardwareInventory,
} from '../../src/hardware/detect-hardware.ts';
import { simulateGpus } from '../../src/hardware/simulated-gpus.ts';
import { DiskProbe } from '../../src/hardware/system-facts.ts';
import { FakeTools } from './fake-tools.ts';
import { fixture, fixturePath } from './fixtures.ts';

let tools: FakeTools;
beforeEach(() => {
  tools = new FakeTools();
  // Not this very machine's, or reading the wrong place would not be noticed.
  tools.write('proc/cpuinfo', fixture('linux/cpuinfo-2-cores.txt').replaceAll('AMD EPYC', 'AMD EPYC 9654'));
  tools.write('proc/meminfo', 'MemTotal:       2113929216 kB\nMemAvailable:   2013929216 kB\n');
  tools.write('proc/uptime', '5000.00 9000.00\n');
  tools.write('sys/devices/system/node/online', '0-1\n');
  tools.write('etc/os-release', 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n');
});
afterEach(() => tools[Symbol.dispose]());

async function detect(
  options: Partial<DetectHardwareOptions> = {},
  deadlineMs = 5_000,
): Promise<HardwareInventory> {
  const clock = systemClock;
  const deps = {
    clock,
    probes: tools.runner({ deadlineMs, graceMs: 100 }),
    disk: new DiskProbe({ clock }, tools.folder),
  };
  const inventory = await detectHardware(deps, { platform: 'linux', root: tools.root, ...options });
  nodeInventorySchema.parse({ ...inventory, executors: [] });
  return inventory;
}

function probe(inventory: HardwareInventory, name: string): HardwareInventory['probes'][number] | undefined {
  return inventory.probes.find((candidate) => candidate.name === name);
}

const cat = (path: string): string => `/bin/cat '${fixturePath(path)}'`;

/** Eight H100 with UUIDs of their own, as one node would show them. */
const EIGHT_H100 = Array.from(
  { length: 8 },
  (_, index) =>
    `${index}, GPU-0000000${index}, NVIDIA H100 80GB HBM3, 00000000:${index}3:00.0, 81559, 590.48.01, ` +
    '700.00, Disabled, 0, [N/A], No, No, 9.0, None',
);

function installNvidiaSmi(query: string, others = ''): void {
  tools.install('nvidia-smi', `case "$*" in\n*--query-gpu=*) ${query} ;;\n${others}\n*) exit 1 ;;\nesac`);
}

function installEightH100(): void {
  writeFileSync(join(tools.folder, 'rows.csv'), `${EIGHT_H100.join('\n')}\n`);
  installNvidiaSmi(`/bin/cat ${tools.folder}/rows.csv`, `"topo -m") ${cat('nvidia/topo-h100-8.txt')} ;;`);
}

describe('a machine without GPUs', () => {
  it('has its processors, memory and disk, and says that nothing was found', async () => {
    const inventory = await detect();
    expect(inventory).toMatchObject({
      os: 'Debian GNU/Linux 12 (bookworm)',
      cpu: { model: 'AMD EPYC 9654', cores: 2, sockets: 1, numaNodes: 2 },
      memoryMib: 2_064_384,
      gpus: [],
      gpuLinks: [],
    });
    expect(inventory.disk.totalMib).toBeGreaterThan(0);
    expect(inventory.probes.map(({ name, outcome }) => `${name} ${outcome}`)).toEqual([
      'nvidia absent',
      'amd absent',
      'vulkan absent',
    ]);
  });

  it('does not take the software renderer for one', async () => {
    tools.install('vulkaninfo', cat('vulkan/debian12-llvmpipe.txt'));
    const inventory = await detect();
    expect(inventory.gpus).toEqual([]);
    expect(probe(inventory, 'vulkan')).toMatchObject({
      outcome: 'absent',
      detail: expect.stringMatching(/llvmpipe/),
    });
  });

  it('works where there is no /proc', async () => {
    const inventory = await detect({ root: join(tools.folder, 'nowhere') });
    expect(inventory.cpu.cores).toBeGreaterThan(0);
    expect(inventory.memoryMib).toBeGreaterThan(0);
  });
});

describe('eight H100', () => {
  it('have links, NUMA nodes and health', async () => {
    installEightH100();
    tools.install(
      'dmesg',
      `echo '[ 4000.000000] NVRM: Xid (PCI:0000:53:00): 79, pid=1, GPU has fallen off the bus.'`,
    );
    const inventory = await detect();
    expect(inventory.gpus).toHaveLength(8);
    expect(inventory.gpuLinks).toHaveLength(56);
    expect(inventory.gpuLinks[0]).toEqual({
      from: 'GPU-00000000',
      to: 'GPU-00000001',
      link: 'NV',
      width: 18,
    });
    expect(inventory.gpus.map((gpu) => gpu.numaNode)).toEqual([0, 0, 0, 0, 1, 1, 1, 1]);
    expect(inventory.gpus.filter((gpu) => gpu.health.state !== 'healthy').map((gpu) => gpu.index)).toEqual([
      5,
    ]);
    expect(inventory.gpus[5]?.health.reason).toMatch(/^Xid 79 .*16m 40s ago; drain/);
    expect(probe(inventory, 'nvidia')).toMatchObject({ outcome: 'found', detail: '8 GPUs' });
  });

  it('say that Xid errors cannot be seen without the kernel log', async () => {
    installEightH100();
    tools.install('dmesg', 'echo "dmesg: read kernel buffer failed: Operation not permitted" >&2; exit 1');
    const inventory = await detect();
    expect(inventory.gpus).toHaveLength(8);
    expect(probe(inventory, 'xid')).toMatchObject({
      outcome: 'failed',
      detail: expect.stringMatching(/as root or set/),
    });
  });

  it('read the journal where dmesg is forbidden', async () => {
    installEightH100();
    tools.install('dmesg', 'exit 1');
    tools.install(
      'journalctl',
      `echo '[ 4000.000000] gpu-1 kernel: NVRM: Xid (PCI:0000:03:00): 95, pid=1, Uncontained'`,
    );
    expect((await detect()).gpus[0]?.health).toMatchObject({ state: 'degraded' });
  });
});

describe('a GPU without topology', () => {
  it('has the NUMA node that the kernel knows', async () => {
    tools.addCard('0000:01:00.0', '0x10de', 1);
    installNvidiaSmi(cat('nvidia/query-rtx4080-super.csv'));
    const inventory = await detect();
    expect(inventory.gpus).toMatchObject([{ pciAddress: '0000:01:00.0', numaNode: 1 }]);
    expect(probe(inventory, 'nvidia-topology')).toMatchObject({ outcome: 'failed' });
  });
});

describe('a driver that does not answer', () => {
  it('leaves the rest of the inventory', async () => {
    tools.install('nvidia-smi', 'exec /bin/sleep 60');
    tools.install('rocm-smi', cat('amd/rocm-smi-mi100.json'));
    const inventory = await detect({}, 2_000);
    expect(probe(inventory, 'nvidia')).toMatchObject({
      outcome: 'timed-out',
      detail: expect.stringMatching(/did not answer/),
    });
    expect(inventory.gpus.map((gpu) => gpu.vendor)).toEqual(['amd', 'amd', 'amd', 'amd']);
    expect(inventory.cpu.cores).toBe(2);
  });

  it('to its topology query leaves the GPUs', async () => {
    writeFileSync(join(tools.folder, 'rows.csv'), `${EIGHT_H100.join('\n')}\n`);
    installNvidiaSmi(`/bin/cat ${tools.folder}/rows.csv`, '"topo -m") exec /bin/sleep 60 ;;');
    const inventory = await detect({}, 2_000);
    expect(inventory.gpus).toHaveLength(8);
    expect(inventory.gpuLinks).toEqual([]);
    expect(probe(inventory, 'nvidia-topology')).toMatchObject({ outcome: 'timed-out' });
  });

  it.each([
    ['error-driver-unreachable.txt', /modprobe/],
    ['error-version-mismatch.txt', /Reboot/],
  ])('and says %s', async (file, sentence) => {
    installNvidiaSmi(`${cat(`nvidia/${file}`)}; exit 9`);
    expect(probe(await detect(), 'nvidia')).toMatchObject({
      outcome: 'failed',
      detail: expect.stringMatching(sentence),
    });
  });

  it('is told from a missing driver by the card that the kernel sees', async () => {
    tools.addCard('0000:3b:00.0', '0x10de');
    expect(probe(await detect(), 'nvidia')).toMatchObject({
      outcome: 'failed',
      detail: expect.stringMatching(/0000:3b:00\.0.*install the NVIDIA driver/),
    });
  });

  it('for one lost GPU is asked for the others', async () => {
    for (const bus of ['02', '13', '23']) tools.addCard(`0000:${bus}:00.0`, '0x10de');
    const rest = EIGHT_H100.slice(1, 3).join('\n');
    writeFileSync(join(tools.folder, 'rows.csv'), `${rest}\n`);
    tools.install(
      'nvidia-smi',
      `case "$*" in\n"-i 0000:13:00.0,0000:23:00.0 --query-gpu="*) /bin/cat ${tools.folder}/rows.csv ;;\n` +
        `*--query-gpu=*) ${cat('nvidia/error-gpu-lost.txt')}; exit 15 ;;\n*) exit 1 ;;\nesac`,
    );
    const inventory = await detect();
    expect(inventory.gpus.map((gpu) => gpu.pciAddress)).toEqual(['0000:13:00.0', '0000:23:00.0']);
    expect(probe(inventory, 'nvidia')).toMatchObject({
      outcome: 'found',
      detail: expect.stringMatching(/^2 GPUs\. The GPU at 0000:02:00\.0 is lost/),
    });
  });

  it('to newer fields is asked without them', async () => {
    installNvidiaSmi(
      `case "$*" in *gpu_recovery_action*) ` +
        `echo 'Field "gpu_recovery_action" is not a valid field to query.'; exit 2 ;; ` +
        `*) ${cat('nvidia/query-a100-row-remap-pending.csv')} ;; esac`,
    );
    const inventory = await detect();
    expect(inventory.gpus).toMatchObject([{ model: 'NVIDIA A100-SXM4-80GB', health: { state: 'degraded' } }]);
  });
});

describe('a GPU in MIG mode', () => {
  it('has its instances beside it, with memory and profile', async () => {
    installNvidiaSmi(
      cat('nvidia/query-h100-mig.csv'),
      `"-L") ${cat('nvidia/list-h100-mig.txt')} ;;\n"topo -m") ${cat('nvidia/topo-h100-1-tabs.txt')} ;;\n` +
        `"") ${cat('nvidia/table-h100-mig.txt')} ;;`,
    );
    const { gpus } = await detect();
    expect(gpus.map(({ migProfile, memoryMib, parentId }) => [migProfile, memoryMib, parentId])).toEqual([
      [undefined, 81_559, undefined],
      ['3g.40gb', 40_448, gpus[0]?.id],
      ['2g.20gb', 20_096, gpus[0]?.id],
      ['1g.10gb', 9_984, gpus[0]?.id],
      ['1g.10gb', 9_984, gpus[0]?.id],
    ]);
    expect(gpus[0]?.migEnabled).toBe(true);
  });
});

describe('AMD cards', () => {
  it('have links that tell sockets apart', async () => {
    tools.install('rocm-smi', cat('amd/rocm-smi-mi100.json'));
    const inventory = await detect();
    expect(inventory.gpuLinks).toHaveLength(12);
    expect(new Set(inventory.gpuLinks.map((link) => link.link))).toEqual(new Set(['NODE']));
    expect(probe(inventory, 'amd')).toMatchObject({ outcome: 'found', detail: '4 GPUs' });
  });

  it('are read by amd-smi where there is one', async () => {
    tools.install('amd-smi', `test "$*" = 'static --json' && ${cat('amd/amd-smi-static-mi350x.json')}`);
    expect((await detect()).gpus).toMatchObject([{ id: '0000:05:00.0', model: 'AMD Instinct MI350X' }]);
  });

  it('without ROCm are seen by the kernel', async () => {
    tools.addCard('0000:0a:00.0', '0x1002');
    expect(probe(await detect(), 'amd')).toMatchObject({
      outcome: 'failed',
      detail: expect.stringMatching(/0000:0a:00\.0.*install ROCm/),
    });
  });
});

describe('Vulkan', () => {
  it('adds cards that no vendor tool lists, with the NUMA node of their slot', async () => {
    tools.addCard('0000:0a:00.0', '0x1002', 1);
    tools.install('vulkaninfo', cat('vulkan/rx6600xt.txt'));
    expect((await detect()).gpus).toMatchObject([
      { id: '0000:0a:00.0', vendor: 'amd', model: 'AMD Radeon RX 6600 XT', numaNode: 1 },
    ]);
  });

  it('does not list a second time what nvidia-smi lists', async () => {
    installNvidiaSmi(cat('nvidia/query-rtx4080-super.csv'));
    tools.install('vulkaninfo', cat('vulkan/radeon660m-rtx3050-llvmpipe.txt'));
    expect((await detect()).gpus.map((gpu) => `${gpu.vendor} ${gpu.model}`)).toEqual([
      'nvidia NVIDIA GeForce RTX 4080 SUPER',
      'amd AMD Radeon 660M (RADV REMBRANDT)',
    ]);
  });
});

describe('an NVIDIA card that only Vulkan reaches', () => {
  it('is listed as degraded, under the id that nvidia-smi would give', async () => {
    installNvidiaSmi(`${cat('nvidia/error-driver-unreachable.txt')}; exit 9`);
    tools.install('vulkaninfo', cat('vulkan/gtx1660ti-and-llvmpipe.txt'));
    expect((await detect()).gpus).toMatchObject([
      {
        id: 'GPU-568d56d8-5ee0-8e84-ae3d-4aa996e4fd51',
        model: 'NVIDIA GeForce GTX 1660 Ti',
        health: { state: 'degraded', reason: expect.stringMatching(/^Only Vulkan reaches it\..*modprobe/) },
      },
    ]);
  });
});

describe('simulated GPUs', () => {
  it('take the place of the real ones and are labelled', async () => {
    tools.install('nvidia-smi', `echo started > ${tools.folder}/started; ${cat('nvidia/query-h100.csv')}`);
    const inventory = await detect({ simulated: simulateGpus('8xH100') });
    expect(inventory.gpus.every((gpu) => gpu.simulated)).toBe(true);
    expect(inventory.gpus).toHaveLength(8);
    expect(inventory.gpuLinks).toHaveLength(56);
    expect(inventory.probes).toEqual([
      { name: 'simulated', outcome: 'found', detail: expect.stringMatching(/8xH100/), durationMs: 0 },
    ]);
  });
});

describe('a data folder that is gone', () => {
  it('is told without losing the rest', async () => {
    const clock = systemClock;
    const disk = new DiskProbe({ clock }, join(tools.folder, 'gone'));
    const inventory = await detectHardware(
      { clock, probes: tools.runner(), disk },
      { platform: 'linux', root: tools.root },
    );
    expect(inventory.disk).toMatchObject({ totalMib: 0, freeMib: 0 });
    expect(probe(inventory, 'disk')).toMatchObject({
      outcome: 'failed',
      detail: expect.stringMatching(/ENOENT/),
    });
  });
});
