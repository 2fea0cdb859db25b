import { readFileSync } from 'node:fs';
import type { Launch } from '../executor.ts';
import { isNvidiaId } from './gpu-access.ts';

/** What a share of a GPU means for a process: what is set for it, and what it cannot rely on. */
export interface GpuShare {
  readonly env: Readonly<Record<string, string>>;
  readonly limitations: readonly string[];
}

/** Where nothing keeps a program to its share. */
export const SHARE_NOT_ENFORCED =
  'Its GPU share is not enforced: a program on the same GPU may take more time and memory than its part.';
const WHOLE: GpuShare = { env: {}, limitations: [] };
const NOT_ENFORCED: GpuShare = { env: {}, limitations: [SHARE_NOT_ENFORCED] };

/** Unless the workload names another. */
const DEFAULT_PIPES = '/tmp/nvidia-mps';

/**
 * NVIDIA's Multi-Process Service keeps its clients to a part of the threads and of the memory, if its control
 * daemon runs; see "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE" and "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT" in NVIDIA's
 * guide to it. A process in a sandbox does not reach the daemon.
 */
export function gpuShare({ spec, devices, gpus = [] }: Launch): GpuShare {
  const { gpuMilli } = spec.resources;
  if (gpuMilli === undefined) return WHOLE;
  const pipes = spec.env['CUDA_MPS_PIPE_DIRECTORY'] ?? DEFAULT_PIPES;
  const [device = ''] = devices;
  if (!isNvidiaId(device) || !isMpsRunning(pipes)) return NOT_ENFORCED;
  const percent = Math.max(1, Math.floor(gpuMilli / 10));
  const memoryMib = gpus.find(({ id }) => id === device)?.memoryMib;
  const limitMib = memoryMib === undefined ? undefined : Math.floor((memoryMib * gpuMilli) / 1000);
  return {
    env: {
      CUDA_MPS_PIPE_DIRECTORY: pipes,
      CUDA_MPS_ACTIVE_THREAD_PERCENTAGE: String(percent),
      // The only device that it sees is number 0 to it.
      ...(limitMib === undefined ? {} : { CUDA_MPS_PINNED_DEVICE_MEM_LIMIT: `0=${limitMib}M` }),
    },
    limitations: [
      `Its GPU share is left to NVIDIA MPS (${percent} % of the threads` +
        `${limitMib === undefined ? '' : `, ${limitMib} MiB`}): only programs that use CUDA keep to it, and a ` +
        'fault of one may end the others on this GPU.',
    ],
  };
}

/** By the process that its control daemon says it is. */
function isMpsRunning(pipes: string): boolean {
  const pid = read(`${pipes}/nvidia-cuda-mps-control.pid`).trim();
  return /^\d{1,10}$/.test(pid) && read(`/proc/${pid}/comm`).startsWith('nvidia-cuda-mps');
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
