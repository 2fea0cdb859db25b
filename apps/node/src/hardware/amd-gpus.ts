import type { GpuDevice } from '@clawbernetes/protocol';
import { parseAmdSmiGpus } from './amd-smi.ts';
import {
  countGpus,
  probeRecord,
  type GpuDetection,
  type GpuDetectionDeps,
  type GpuLink,
  type ProbeRecord,
} from './gpu-detection.ts';
import { PCI_VENDORS } from './pci-cards.ts';
import type { ProbeResult } from './probe-runner.ts';
import {
  parseRocmGpus,
  parseRocmLinks,
  ROCM_INVENTORY_ARGS,
  type AmdGpu,
  type RocmLink,
} from './rocm-smi.ts';

/**
 * AMD GPUs by `amd-smi`, or by the older `rocm-smi` where that is all there is; links always by `rocm-smi`,
 * which ROCm brings along.
 */
export async function detectAmdGpus(deps: GpuDetectionDeps): Promise<GpuDetection> {
  const startedMs = deps.clock.monotonicMs();
  const [amdSmi, rocmSmi] = await Promise.all([
    deps.probes.run({ program: 'amd-smi', args: ['static', '--json'] }),
    deps.probes.run({ program: 'rocm-smi', args: ROCM_INVENTORY_ARGS }),
  ]);
  const byAmdSmi = parseAmdSmiGpus(stdout(amdSmi));
  const gpus = byAmdSmi.length > 0 ? byAmdSmi : parseRocmGpus(stdout(rocmSmi));
  const devices = gpus.map((gpu) => toDevice(gpu, deps));
  return {
    gpus: devices,
    links: toLinks(devices, parseRocmLinks(stdout(rocmSmi))),
    probes: [probeRecord(deps.clock, startedMs, outcome(deps, gpus.length, amdSmi, rocmSmi))],
  };
}

function stdout(result: ProbeResult): string {
  return result.outcome === 'finished' ? result.stdout : '';
}

function outcome(
  { cards }: GpuDetectionDeps,
  count: number,
  ...results: readonly ProbeResult[]
): Pick<ProbeRecord, 'name' | 'outcome' | 'detail'> {
  if (count > 0) return { name: 'amd', outcome: 'found', detail: countGpus(count) };
  const timedOut = results.find((result) => result.outcome === 'timed-out');
  if (timedOut?.outcome === 'timed-out')
    return { name: 'amd', outcome: 'timed-out', detail: timedOut.message };
  const addresses = cards.filter((card) => card.vendorId === PCI_VENDORS.amd).map((card) => card.address);
  if (results.every((result) => result.outcome === 'absent')) {
    return addresses.length > 0
      ? {
          name: 'amd',
          outcome: 'failed',
          detail:
            `There is an AMD card (${addresses.join(', ')}) and neither amd-smi nor rocm-smi: ` +
            'install ROCm to compute on it.',
        }
      : { name: 'amd', outcome: 'absent', detail: 'Neither amd-smi nor rocm-smi is installed.' };
  }
  return {
    name: 'amd',
    outcome: addresses.length > 0 ? 'failed' : 'absent',
    detail: 'The ROCm tools list no GPU.',
  };
}

function toDevice(gpu: AmdGpu, { cards }: GpuDetectionDeps): GpuDevice {
  const { index, model, memoryMib, pciAddress, driverVersion, powerLimitW } = gpu;
  const card = cards.find((candidate) => candidate.address === pciAddress);
  return {
    id: pciAddress ?? `amd-${index}`,
    index,
    vendor: 'amd',
    model,
    memoryMib,
    pciAddress,
    driverVersion,
    numaNode: gpu.numaNode ?? card?.numaNode,
    powerLimitW,
    health: { state: 'healthy' },
    simulated: false,
  };
}

/** Both directions. ROCm tells PCIe links no further apart; the NUMA nodes of the cards do. */
function toLinks(devices: readonly GpuDevice[], links: readonly RocmLink[]): readonly GpuLink[] {
  return links.flatMap(({ from, to, kind }): readonly GpuLink[] => {
    const one = devices.find((device) => device.index === from);
    const other = devices.find((device) => device.index === to);
    if (!one || !other || one === other) return [];
    const sameNode = one.numaNode !== undefined && one.numaNode === other.numaNode;
    const link = kind === 'XGMI' ? 'XGMI' : sameNode ? 'NODE' : 'SYS';
    return [
      { from: one.id, to: other.id, link },
      { from: other.id, to: one.id, link },
    ];
  });
}
