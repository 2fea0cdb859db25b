import type { NodeInventory } from '@clawbernetes/protocol';

/** A machine with 64 cores, 256 GiB and simulated GPUs. */
export function nodeInventory(hostname: string, gpus = 0): NodeInventory {
  return {
    hostname,
    os: 'linux',
    kernel: '6.1',
    architecture: 'x64',
    cpu: { model: 'test', cores: 64, sockets: 1, numaNodes: 1 },
    memoryMib: 262_144,
    disk: { path: '/', totalMib: 1000, freeMib: 1000 },
    gpus: Array.from({ length: gpus }, (_, index) => ({
      id: `GPU-${hostname}-${index}`,
      index,
      vendor: 'nvidia' as const,
      model: 'NVIDIA H100',
      memoryMib: 81_559,
      health: { state: 'healthy' as const },
      simulated: true,
    })),
    gpuLinks: [],
    executors: [{ kind: 'process', available: true, sandbox: 'none', limitations: [] }],
    probes: [],
  };
}
