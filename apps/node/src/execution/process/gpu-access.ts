import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { Launch, LaunchGpu } from '../executor.ts';

/** How a workload comes to the GPUs that it was granted, and to no other. */
export interface GpuAccess {
  readonly env: Readonly<Record<string, string>>;
  /** Device files and folders that a sandbox must show. */
  readonly paths: readonly string[];
}

/** What no grant looks like: each runtime then finds no device. */
const NO_GPU: GpuAccess = {
  env: { CUDA_VISIBLE_DEVICES: '', NVIDIA_VISIBLE_DEVICES: 'none', ROCR_VISIBLE_DEVICES: '' },
  paths: [],
};

/** `GPU-…`, `MIG-…`, or as older drivers name an instance: `MIG-GPU-…/<GPU instance>/<compute instance>`. */
const NVIDIA_ID = /^(GPU|MIG|MIG-GPU)-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(\/\d{1,2}\/\d{1,2})?$/i;
const AMD_UNIQUE_ID = /^GPU-[0-9a-f]{16}$/i;
const PCI_VENDOR_AMD = '0x1002';
const PCI_ADDRESS = /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/i;

export function isNvidiaId(id: string): boolean {
  return NVIDIA_ID.test(id);
}

/**
 * By the form of the ids: NVIDIA's UUIDs, AMD's unique ids or PCI addresses. Ids of simulated GPUs have none
 * of these forms: nothing real is shown for them.
 */
export function gpuAccess({ devices, gpus = [] }: Pick<Launch, 'devices' | 'gpus'>): GpuAccess {
  if (devices.length === 0) return NO_GPU;
  const nvidia = devices.filter(isNvidiaId);
  const others = devices.map(otherDevice).filter((device) => device !== undefined);
  const amd = others.map(({ amdId }) => amdId).filter((id) => id !== undefined);
  return {
    env: {
      CUDA_VISIBLE_DEVICES: nvidia.join(),
      NVIDIA_VISIBLE_DEVICES: nvidia.join() || 'none',
      ROCR_VISIBLE_DEVICES: amd.join(),
    },
    paths: [
      ...(nvidia.length > 0 ? nvidiaPaths(nvidia.map((id) => cardOf(id, gpus))) : []),
      ...(amd.length > 0 ? ['/dev/kfd'] : []),
      ...others.flatMap(({ paths }) => paths),
    ],
  };
}

/** The GPU of which a MIG instance is a part: it has the device file. */
function cardOf(id: string, gpus: readonly LaunchGpu[]): string {
  return gpus.find((gpu) => gpu.id === id)?.parentId ?? id;
}

/** The control devices, and of the GPUs' own those that are granted, where the driver says which is which. */
function nvidiaPaths(ids: readonly string[]): readonly string[] {
  const names = list('/dev').filter((name) => name.startsWith('nvidia'));
  const minors = nvidiaMinors();
  const granted = ids.map((id) => minors.get(id.toLowerCase()));
  // Where the GPU of a MIG instance is not known all are shown, and the runtime keeps to the variable.
  const all = granted.includes(undefined);
  const shown = names.filter((name) => {
    const minor = /^nvidia(\d+)$/.exec(name)?.[1];
    return minor === undefined || all || granted.includes(Number(minor));
  });
  // InfiniBand: what NCCL needs between nodes.
  return [...shown.map((name) => `/dev/${name}`), ...['/dev/infiniband'].filter((path) => existsSync(path))];
}

function nvidiaMinors(): ReadonlyMap<string, number> {
  const folder = '/proc/driver/nvidia/gpus';
  const minors = new Map<string, number>();
  for (const address of list(folder)) {
    const text = read(`${folder}/${address}/information`);
    const uuid = /^GPU UUID:\s*(\S+)$/m.exec(text)?.[1];
    const minor = /^Device Minor:\s*(\d+)$/m.exec(text)?.[1];
    if (uuid !== undefined && minor !== undefined) minors.set(uuid.toLowerCase(), Number(minor));
  }
  return minors;
}

/** A device that the kernel's direct rendering manager drives. */
interface RenderDevice {
  /** As ROCm names it. */
  readonly amdId?: string;
  readonly paths: readonly string[];
}

function otherDevice(id: string): RenderDevice | undefined {
  if (AMD_UNIQUE_ID.test(id)) return { amdId: id, paths: ['/dev/dri'] };
  if (!PCI_ADDRESS.test(id)) return undefined;
  const folder = `/sys/bus/pci/devices/${id.toLowerCase()}`;
  const nodes = list(`${folder}/drm`).filter((name) => /^(card|renderD)\d+$/.test(name));
  const paths = nodes.map((name) => `/dev/dri/${name}`);
  if (read(`${folder}/vendor`).trim() !== PCI_VENDOR_AMD) return { paths };
  return { amdId: `GPU-${read(`${folder}/unique_id`).trim()}`, paths };
}

function list(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
