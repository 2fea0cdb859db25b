import type { GpuDevice, GpuFault } from '@clawbernetes/protocol';
import {
  probeRecord,
  type GpuDetection,
  type GpuDetectionDeps,
  type GpuLink,
  type ProbeRecord,
} from './gpu-detection.ts';
import { nvidiaFaults, nvidiaHealth } from './gpu-health.ts';
import { queryNvidiaGpus } from './nvidia-answer.ts';
import { migProfileMemoryMib, parseMigInstances, parseMigMemoryMib } from './nvidia-mig.ts';
import type { NvidiaGpu } from './nvidia-query.ts';
import { parseNvidiaTopology, type NvidiaTopology } from './nvidia-topology.ts';
import { readXids } from './xid-log.ts';

const NVIDIA_SMI = 'nvidia-smi';

/**
 * NVIDIA GPUs, their MIG instances, links and health. First the query alone: only a driver that answers it is
 * asked for more, so that a hung one holds a single process.
 */
export async function detectNvidiaGpus(
  deps: GpuDetectionDeps,
  { uptimeMs }: { readonly uptimeMs: number },
): Promise<GpuDetection> {
  const startedMs = deps.clock.monotonicMs();
  const { gpus, probe } = await queryNvidiaGpus(deps);
  const queried = probeRecord(deps.clock, startedMs, probe);
  if (gpus.length === 0) return { gpus: [], links: [], probes: [queried] };
  const [topology, mig, xid] = await Promise.all([
    readTopology(deps, gpus),
    readMig(deps, gpus),
    readXids(deps),
  ]);
  const devices = gpus.map((gpu) => {
    const events = xid.events.filter((event) => sameCard(event.pciAddress, gpu.pciAddress));
    const card = deps.cards.find((candidate) => candidate.address === gpu.pciAddress);
    const numaNode = topology.matrix.numaNodes[gpu.index] ?? card?.numaNode;
    return toDevice(gpu, numaNode, {
      health: nvidiaHealth(gpu, events, uptimeMs),
      faults: [...nvidiaFaults(gpu, events, uptimeMs)],
    });
  });
  return {
    gpus: [...devices, ...mig.instances(devices)],
    links: toLinks(gpus, topology.matrix),
    probes: [queried, ...topology.probes, ...mig.probes, ...xid.probes],
  };
}

async function readTopology(
  { clock, probes }: GpuDetectionDeps,
  gpus: readonly NvidiaGpu[],
): Promise<{ readonly matrix: NvidiaTopology; readonly probes: readonly ProbeRecord[] }> {
  const startedMs = clock.monotonicMs();
  const result = await probes.run({ program: NVIDIA_SMI, args: ['topo', '-m'] });
  const matrix = parseNvidiaTopology(result.outcome === 'finished' ? result.stdout : '');
  const complete = gpus.every((gpu) => matrix.links[gpu.index] !== undefined);
  const outcome = result.outcome === 'finished' ? (complete ? 'found' : 'failed') : result.outcome;
  const detail = result.outcome === 'finished' ? undefined : result.message;
  const sentence =
    detail ?? (complete ? undefined : 'nvidia-smi topo -m shows no matrix of all GPUs; links are unknown.');
  return {
    matrix,
    probes: [probeRecord(clock, startedMs, { name: 'nvidia-topology', outcome, detail: sentence })],
  };
}

interface MigAnswer {
  readonly instances: (parents: readonly GpuDevice[]) => readonly GpuDevice[];
  readonly probes: readonly ProbeRecord[];
}

async function readMig({ clock, probes }: GpuDetectionDeps, gpus: readonly NvidiaGpu[]): Promise<MigAnswer> {
  if (!gpus.some((gpu) => gpu.migEnabled === true)) return { instances: () => [], probes: [] };
  const startedMs = clock.monotonicMs();
  const [list, table] = await Promise.all([
    probes.run({ program: NVIDIA_SMI, args: ['-L'] }),
    probes.run({ program: NVIDIA_SMI, args: [] }),
  ]);
  const instances = parseMigInstances(list.outcome === 'finished' ? list.stdout : '');
  const memory = parseMigMemoryMib(table.outcome === 'finished' ? table.stdout : '');
  const probe =
    list.outcome === 'finished'
      ? { name: 'nvidia-mig', outcome: 'found' as const, detail: `${instances.length} MIG instances` }
      : { name: 'nvidia-mig', outcome: list.outcome, detail: list.message };
  return {
    probes: [probeRecord(clock, startedMs, probe)],
    instances: (parents) =>
      instances.flatMap((instance): readonly GpuDevice[] => {
        const parent = parents.find((candidate) => candidate.id === instance.gpuUuid);
        if (!parent) return [];
        const { device, profile } = instance;
        const memoryMib = memory.get(`${instance.gpuIndex}/${device}`) ?? migProfileMemoryMib(profile);
        const { powerLimitW: _shared, migEnabled: _parent, ...inherited } = parent;
        return [
          {
            ...inherited,
            id: instance.uuid,
            index: device,
            memoryMib,
            parentId: parent.id,
            migProfile: profile,
          },
        ];
      }),
  };
}

/** Xid lines leave out the function number. */
function sameCard(one: string, other: string | undefined): boolean {
  return other !== undefined && one.split('.', 1)[0] === other.split('.', 1)[0];
}

function toDevice(
  gpu: NvidiaGpu,
  numaNode: number | undefined,
  { health, faults }: { readonly health: GpuDevice['health']; readonly faults: GpuFault[] },
): GpuDevice {
  const {
    uuid,
    index,
    name,
    memoryMib,
    pciAddress,
    driverVersion,
    computeCapability,
    powerLimitW,
    migEnabled,
  } = gpu;
  return {
    id: uuid,
    index,
    vendor: 'nvidia',
    model: name,
    memoryMib,
    pciAddress,
    driverVersion,
    computeCapability,
    numaNode,
    powerLimitW,
    migEnabled,
    health,
    ...(faults.length > 0 && { faults }),
    simulated: false,
  };
}

/** Both directions of every pair. */
function toLinks(gpus: readonly NvidiaGpu[], { links }: NvidiaTopology): readonly GpuLink[] {
  return gpus.flatMap((from) =>
    gpus
      .filter((to) => to !== from)
      .flatMap((to): readonly GpuLink[] => {
        const link = links[from.index]?.[to.index];
        return link ? [{ from: from.uuid, to: to.uuid, ...link }] : [];
      }),
  );
}
