import type { GpuDevice, NodeInventory } from '@clawbernetes/protocol';
import { errorMessage, type Clock } from '@clawbernetes/kernel';
import { detectAmdGpus } from './amd-gpus.ts';
import { detectAppleGpus } from './apple-gpus.ts';
import { probeRecord, type GpuDetection, type GpuDetectionDeps, type ProbeRecord } from './gpu-detection.ts';
import { detectNvidiaGpus } from './nvidia-gpus.ts';
import { readPciCards } from './pci-cards.ts';
import type { ProbeRunner } from './probe-runner.ts';
import type { SimulatedGpus } from './simulated-gpus.ts';
import { readMachine, readUptimeMs, type DiskProbe } from './system-facts.ts';
import { detectVulkanGpus } from './vulkan-gpus.ts';

export interface DetectHardwareDeps {
  readonly clock: Clock;
  readonly probes: ProbeRunner;
  /** Of the folder that workloads write to. */
  readonly disk: DiskProbe;
}

export interface DetectHardwareOptions {
  readonly platform: NodeJS.Platform;
  /** Where proc, sys and etc are; another folder than `/` in tests. */
  readonly root?: string;
  /** Instead of the real GPUs, which are then not looked for. */
  readonly simulated?: SimulatedGpus;
}

export type HardwareInventory = Omit<NodeInventory, 'executors'>;

/**
 * What this machine has. All probes run at once and none can fail or hold up the others: how each went is in
 * `probes`. Takes at most two probe deadlines.
 */
export async function detectHardware(
  deps: DetectHardwareDeps,
  { platform, root = '/', simulated }: DetectHardwareOptions,
): Promise<HardwareInventory> {
  const machine = await readMachine(root);
  const [disk, ...detections] = await Promise.all([
    readDisk(deps),
    ...(simulated
      ? [simulatedDetection(simulated)]
      : await detectGpus(deps, platform, root, machine.memoryMib)),
  ]);
  const gpus = distinctGpus(detections);
  const ids = new Set(gpus.map((gpu) => gpu.id));
  return {
    ...machine,
    disk: disk.space,
    gpus,
    gpuLinks: detections
      .flatMap((detection) => detection.links)
      .filter(({ from, to }) => ids.has(from) && ids.has(to)),
    probes: [...disk.probes, ...detections.flatMap((detection) => detection.probes)],
  };
}

async function detectGpus(
  { clock, probes }: DetectHardwareDeps,
  platform: NodeJS.Platform,
  root: string,
  systemMemoryMib: number,
): Promise<readonly Promise<GpuDetection>[]> {
  if (platform === 'darwin') return [detectAppleGpus({ clock, probes }, { systemMemoryMib })];
  const [cards, uptimeMs] = await Promise.all([readPciCards(root), readUptimeMs(root)]);
  const deps: GpuDetectionDeps = { clock, probes, cards };
  return [detectNvidiaGpus(deps, { uptimeMs }), detectAmdGpus(deps), detectVulkanGpus(deps)];
}

function simulatedDetection({ spec, gpus, links }: SimulatedGpus): Promise<GpuDetection> {
  const detail = `${gpus.length} simulated (--simulate-gpus ${spec}); real GPUs were not looked for.`;
  return Promise.resolve({
    gpus,
    links,
    probes: [{ name: 'simulated', outcome: 'found', detail, durationMs: 0 }],
  });
}

/** As many as an inventory holds. */
const MAX_GPUS = 256;

/**
 * The GPUs of all detections, each once. Earlier detections win: a vendor's own tool knows more than Vulkan,
 * and what Vulkan says of a vendor whose tool has answered is left out altogether, since not all its devices
 * can be matched.
 */
function distinctGpus(detections: readonly GpuDetection[]): GpuDevice[] {
  const gpus = new Map<string, GpuDevice>();
  for (const detection of detections) {
    const earlier = [...gpus.values()];
    for (const gpu of detection.gpus) {
      const known = earlier.some(
        ({ vendor, pciAddress }) =>
          vendor === gpu.vendor || (pciAddress !== undefined && pciAddress === gpu.pciAddress),
      );
      if (!known && !gpus.has(gpu.id) && gpus.size < MAX_GPUS) gpus.set(gpu.id, gpu);
    }
  }
  return [...gpus.values()].map((gpu) => withVendorTool(gpu, detections));
}

/** An NVIDIA GPU that only Vulkan lists, while nvidia-smi has trouble, is not as good as another. */
function withVendorTool(gpu: GpuDevice, detections: readonly GpuDetection[]): GpuDevice {
  const probe = detections.flatMap((detection) => detection.probes).find(({ name }) => name === 'nvidia');
  const trouble = probe?.outcome === 'failed' || probe?.outcome === 'timed-out';
  if (!trouble || gpu.vendor !== 'nvidia') return gpu;
  return {
    ...gpu,
    health: { state: 'degraded', reason: `Only Vulkan reaches it. ${probe.detail ?? ''}`.trim() },
  };
}

async function readDisk({ clock, disk }: DetectHardwareDeps): Promise<{
  readonly space: NodeInventory['disk'];
  readonly probes: readonly ProbeRecord[];
}> {
  const startedMs = clock.monotonicMs();
  try {
    const space = await disk.read();
    return { space: { path: disk.path, ...space }, probes: [] };
  } catch (error) {
    const probe = { name: 'disk', outcome: 'failed' as const, detail: errorMessage(error) };
    return {
      space: { path: disk.path, totalMib: 0, freeMib: 0 },
      probes: [probeRecord(clock, startedMs, probe)],
    };
  }
}
