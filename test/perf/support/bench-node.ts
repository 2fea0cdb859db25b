// Nodes of benchmarks without agents behind sockets: records of machines with eight GPUs.
import type { Fleet } from '@clawbernetes/fleet';
import type { NodeInventory } from '@clawbernetes/protocol';

export const GPUS_OF_BENCH_NODE = 8;

export function benchInventory(index: number): NodeInventory {
  return {
    hostname: `n${index}`,
    os: 'Linux',
    kernel: '6',
    architecture: 'x64',
    cpu: { model: 'simulated', cores: 16, sockets: 1, numaNodes: 2 },
    memoryMib: 65_536,
    disk: { path: '/', totalMib: 1, freeMib: 1 },
    gpus: Array.from({ length: GPUS_OF_BENCH_NODE }, (_, place) => ({
      id: `n${index}-gpu-${place}`,
      index: place,
      vendor: 'nvidia',
      model: 'NVIDIA H100 80GB HBM3',
      memoryMib: 81_559,
      numaNode: place < GPUS_OF_BENCH_NODE / 2 ? 0 : 1,
      health: { state: 'healthy' },
      simulated: true,
    })),
    gpuLinks: [],
    executors: [{ kind: 'process', available: true, sandbox: 'bubblewrap', limitations: [] }],
    probes: [],
  };
}

/** Approved, connected and, once it has shown it, known to run nothing. Answers its id. */
export function joinBenchNode(
  fleet: Fleet,
  index: number,
  labels: Readonly<Record<string, string>>,
  { hasShown = true } = {},
): string {
  const id = `node-${index}`;
  fleet.registry.register({
    ...{ id, publicKey: `key-${index}`, fingerprint: `fp-${index}`, name: `n${index}`, agentVersion: '0' },
    ...{ labels, commands: [], preApproved: true },
    inventory: benchInventory(index),
  });
  fleet.registry.connected(id);
  if (hasShown) fleet.registry.listed(id, { reconciled: true });
  return id;
}
