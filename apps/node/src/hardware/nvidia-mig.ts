export interface MigInstance {
  readonly gpuIndex: number;
  /** Of the GPU that it is a slice of. */
  readonly gpuUuid: string;
  readonly device: number;
  readonly uuid: string;
  /** Such as `1g.10gb` or `1c.3g.40gb`. */
  readonly profile: string;
}

/** Most instances taken: 7 per GPU, and a node has no more than 16 GPUs. */
const MAX_INSTANCES = 224;
const GPU_LINE = /^GPU (\d{1,3}): .* \(UUID: (GPU-[\w-]{1,60})\)\s*$/;
const MIG_LINE = /^\s+MIG (\S{1,40})\s+Device\s+(\d{1,2}): \(UUID: (MIG-[\w/-]{1,90})\)\s*$/;

/** MIG instances from `nvidia-smi -L`, where each follows its GPU's line. */
export function parseMigInstances(text: string): readonly MigInstance[] {
  const instances: MigInstance[] = [];
  let gpu: { readonly index: number; readonly uuid: string } | undefined;
  for (const line of text.split('\n')) {
    const [, index, gpuUuid] = GPU_LINE.exec(line) ?? [];
    if (index !== undefined && gpuUuid !== undefined) gpu = { index: Number(index), uuid: gpuUuid };
    const [, profile, device, uuid] = MIG_LINE.exec(line) ?? [];
    if (!gpu || profile === undefined || uuid === undefined || instances.length >= MAX_INSTANCES) continue;
    instances.push({ gpuIndex: gpu.index, gpuUuid: gpu.uuid, device: Number(device), uuid, profile });
  }
  return instances;
}

const MEMORY_LINE =
  /^\|\s+(\d{1,3})\s+(?:\d{1,4}|N\/A)\s+(?:\d{1,4}|N\/A)\s+(\d{1,2})\s+\|\s+\d{1,9}MiB \/\s*(\d{1,9})MiB/;

/**
 * Memory of MIG instances, MiB, by `<GPU index>/<MIG device>`, from the "MIG devices" table that plain
 * `nvidia-smi` prints: no query field gives it.
 */
export function parseMigMemoryMib(text: string): ReadonlyMap<string, number> {
  const memory = new Map<string, number>();
  const table = text.slice(Math.max(0, text.indexOf('MIG devices:')));
  for (const line of table.split('\n')) {
    const [, gpuIndex, device, totalMib] = MEMORY_LINE.exec(line) ?? [];
    if (gpuIndex !== undefined) memory.set(`${gpuIndex}/${device}`, Number(totalMib));
  }
  return memory;
}

/**
 * A lower bound of an instance's memory, MiB, from its profile: `1g.10gb` has a little less than 10 GiB
 * (9,984 MiB on an H100, 9,728 on an A100).
 */
export function migProfileMemoryMib(profile: string): number {
  const gigabytes = /(\d{1,4})gb/.exec(profile)?.[1];
  return gigabytes === undefined ? 0 : Math.floor(Number(gigabytes) * 1024 * 0.95);
}
