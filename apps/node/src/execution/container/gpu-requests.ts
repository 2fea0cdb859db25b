import { CodedError } from '@clawbernetes/kernel';
import type { LaunchGpu } from '../executor.ts';
import type { EngineFacts } from './engine.ts';

export interface DeviceRequest {
  readonly Driver: string;
  readonly DeviceIDs: readonly string[];
  readonly Capabilities?: readonly (readonly string[])[];
}

/**
 * How to ask this engine for exactly these GPUs; simulated ones are never asked for. NVIDIA's runtime takes
 * their ids (`GPU-…`, `MIG-…`); other engines take names of the Container Device Interface.
 * @throws CodedError `launch-failed` if the engine cannot pass them on: starting without them would be a lie.
 */
export function gpuRequests(
  ids: readonly string[],
  facts: EngineFacts,
  gpus: readonly LaunchGpu[],
): readonly DeviceRequest[] {
  const granted = ids.map((id) => knownGpu(id, gpus)).filter((gpu) => !gpu.simulated);
  if (granted.length === 0) return [];
  // Podman's Docker-compatible API accepts device requests and ignores them (containers/podman#19338).
  if (facts.flavour === 'podman') {
    throw refuse(
      'Podman does not pass GPUs through its Docker-compatible API.',
      'Use Docker on this node for GPU work.',
    );
  }
  if (granted.every(({ vendor }) => vendor === 'nvidia') && facts.runtimes.includes('nvidia')) {
    return [{ Driver: 'nvidia', DeviceIDs: granted.map(({ id }) => id), Capabilities: [['gpu']] }];
  }
  if (!facts.cdi) {
    const toolkit = granted.some(({ vendor }) => vendor === 'amd') ? 'AMD' : 'NVIDIA';
    throw refuse(
      `${facts.name} has neither NVIDIA's runtime nor the Container Device Interface.`,
      `Install the ${toolkit} Container Toolkit and restart the engine.`,
    );
  }
  return [{ Driver: 'cdi', DeviceIDs: granted.map((gpu) => cdiName(gpu, facts)) }];
}

/**
 * NVIDIA's own ids say what they are, and so do simulated ones, even where the list of GPUs lacks the device.
 */
const NVIDIA_ID = /^(GPU|MIG)-[0-9a-f]{8}-/;

function knownGpu(id: string, gpus: readonly LaunchGpu[]): LaunchGpu {
  const gpu = gpus.find((candidate) => candidate.id === id);
  if (gpu !== undefined) return gpu;
  if (id.startsWith('sim-gpu-')) return { id, index: -1, vendor: 'other', simulated: true };
  if (NVIDIA_ID.test(id)) return { id, index: -1, vendor: 'nvidia', simulated: false };
  throw refuse(`The GPU ${id} is not one of this node's.`, 'Look at its GPUs with `clawbernetes node info`.');
}

/** Generated specifications name devices by index, by id, or both. */
function cdiName({ id, index, vendor }: LaunchGpu, { name, cdiDevices }: EngineFacts): string {
  const candidates = [`${vendor}.com/gpu=${id}`, `${vendor}.com/gpu=${index}`];
  const found = candidates.find((candidate) => cdiDevices.includes(candidate));
  if (found !== undefined) return found;
  // A MIG slice shares its index with others: a guess could hand out a neighbour's.
  if (cdiDevices.length > 0 || index < 0 || id.startsWith('MIG-')) {
    throw refuse(
      `${name} knows no device ${candidates.join(' or ')}.`,
      `Generate its specification on the node, as with \`${vendor === 'amd' ? 'amd' : 'nvidia'}-ctk cdi generate\`.`,
    );
  }
  return `${vendor}.com/gpu=${index}`;
}

function refuse(what: string, remedy: string): CodedError {
  return new CodedError(`The workload's GPUs cannot be given to a container: ${what} ${remedy}`, {
    code: 'launch-failed',
  });
}
