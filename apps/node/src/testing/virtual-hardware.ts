import type { NodeInventory } from '@clawbernetes/protocol';
import type { Hardware, MetricsSample } from '../host.ts';

export interface VirtualHardwareOptions {
  readonly hostname?: string;
  readonly cores?: number;
  readonly memoryMib?: number;
  readonly gpus?: NodeInventory['gpus'];
  readonly gpuLinks?: NodeInventory['gpuLinks'];
  readonly executors?: NodeInventory['executors'];
}

const VIRTUAL_EXECUTORS: NodeInventory['executors'] = [
  { kind: 'process', available: true, sandbox: 'none', limitations: ['virtual'] },
];

/** Hardware that is only said to be there; its GPUs should be labelled `simulated`. */
export function virtualHardware(options: VirtualHardwareOptions = {}): Hardware {
  const { hostname = 'virtual', cores = 64, memoryMib = 524_288, gpus = [], gpuLinks = [] } = options;
  const { executors = VIRTUAL_EXECUTORS } = options;
  const inventory: NodeInventory = {
    hostname,
    os: 'virtual',
    kernel: 'virtual',
    architecture: 'x64',
    cpu: { model: 'virtual', cores, sockets: 1, numaNodes: 1 },
    memoryMib,
    disk: { path: '/', totalMib: 1_048_576, freeMib: 1_048_576 },
    gpus: [...gpus],
    gpuLinks: [...gpuLinks],
    executors: [...executors],
    probes: [{ name: 'virtual', outcome: 'found', durationMs: 0 }],
  };
  const sample: MetricsSample = {
    gpus: gpus.map(({ id }) => ({
      deviceId: id,
      utilizationPercent: 0,
      memoryUsedMib: 0,
      temperatureC: 30,
      powerW: 70,
      clockMhz: 210,
      eccUncorrected: 0,
    })),
    system: {
      cpuPercent: 1,
      memoryUsedMib: 1024,
      memoryTotalMib: memoryMib,
      diskUsedMib: 0,
      diskTotalMib: 1_048_576,
      loadAverage: 0,
    },
  };
  return { detect: () => Promise.resolve(inventory), sample: () => Promise.resolve(sample) };
}
