import type { GpuDevice } from '@clawbernetes/protocol';
import { countGpus, probeRecord, type GpuDetection, type GpuDetectionDeps } from './gpu-detection.ts';

export interface VulkanDevice {
  readonly name: string;
  readonly vendor: GpuDevice['vendor'];
  readonly uuid?: string | undefined;
  /** Known where the driver hides it in the UUID, as AMD's do. */
  readonly pciAddress?: string | undefined;
  readonly driverVersion?: string | undefined;
  /** Drawn by the CPU: llvmpipe, lavapipe, SwiftShader. Not a GPU. */
  readonly software: boolean;
}

const MAX_DEVICES = 64;
const VENDORS: Readonly<Record<string, GpuDevice['vendor']>> = {
  '0x10de': 'nvidia',
  '0x1002': 'amd',
  '0x106b': 'apple',
  '0x8086': 'intel',
};

/**
 * Devices from `vulkaninfo --summary`, each once: some loaders list a device twice. (`vulkaninfo --json` is
 * not used: newer ones write a file into the working folder instead of printing.)
 */
export function parseVulkanDevices(text: string): readonly VulkanDevice[] {
  const devices = new Map<string, VulkanDevice>();
  const blocks = text.slice(Math.max(0, text.indexOf('Devices:'))).split(/^GPU\d{1,3}:[^\S\n]*$/m);
  for (const block of blocks.slice(1, MAX_DEVICES + 1)) {
    const device = toVulkanDevice(members(block));
    if (device) devices.set(device.uuid ?? `${devices.size}`, device);
  }
  return [...devices.values()];
}

/** GPUs that only Vulkan knows of. Their memory is not in the summary and stays 0. */
export async function detectVulkanGpus({ clock, probes, cards }: GpuDetectionDeps): Promise<GpuDetection> {
  const startedMs = clock.monotonicMs();
  const result = await probes.run({ program: 'vulkaninfo', args: ['--summary'] });
  const devices = parseVulkanDevices(result.outcome === 'finished' ? result.stdout : '');
  const real = devices.filter((device) => !device.software);
  const software = devices.find((device) => device.software)?.name;
  const none =
    software === undefined ? 'no device' : `only a software device (${software}), which is not a GPU`;
  const probe =
    result.outcome === 'finished'
      ? {
          name: 'vulkan',
          outcome: real.length > 0 ? ('found' as const) : ('absent' as const),
          detail: real.length > 0 ? countGpus(real.length) : none,
        }
      : { name: 'vulkan', outcome: result.outcome, detail: result.message };
  return {
    gpus: real.map((device, index) => {
      const card = cards.find((candidate) => candidate.address === device.pciAddress);
      return toGpuDevice(device, index, card?.numaNode);
    }),
    links: [],
    probes: [probeRecord(clock, startedMs, probe)],
  };
}

function members(block: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const line of block.split('\n')) {
    const [, name, value] = /^\s+(\w{1,40})\s*=\s*(.{1,200}?)\s*$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) found.set(name, value);
  }
  return found;
}

function toVulkanDevice(block: ReadonlyMap<string, string>): VulkanDevice | undefined {
  const name = block.get('deviceName');
  if (name === undefined) return undefined;
  const vendorId = (block.get('vendorID') ?? '').toLowerCase();
  const vendor = VENDORS[vendorId] ?? 'other';
  const uuid = block.get('deviceUUID');
  const software =
    block.get('deviceType') === 'PHYSICAL_DEVICE_TYPE_CPU' ||
    /llvmpipe|lavapipe|softpipe|swiftshader/i.test(name);
  return {
    name,
    vendor,
    uuid,
    pciAddress: vendor === 'amd' ? addressInUuid(uuid) : undefined,
    driverVersion: block.get('driverInfo'),
    software,
  };
}

/**
 * AMD's drivers write domain, bus, device and function as little-endian 32-bit numbers into the device UUID.
 */
function addressInUuid(uuid: string | undefined): string | undefined {
  const hex = uuid?.replaceAll('-', '') ?? '';
  if (!/^[0-9a-f]{32}$/i.test(hex)) return undefined;
  const bytes = Buffer.from(hex, 'hex');
  const [domain, bus, device, fn] = [0, 4, 8, 12].map((offset) => bytes.readUInt32LE(offset));
  if (domain === undefined || bus === undefined || device === undefined || fn === undefined) return undefined;
  if (domain > 0xffff || bus > 0xff || device > 0x1f || fn > 7) return undefined;
  const pad = (value: number, width: number): string => value.toString(16).padStart(width, '0');
  return `${pad(domain, 4)}:${pad(bus, 2)}:${pad(device, 2)}.${fn}`;
}

function toGpuDevice(device: VulkanDevice, index: number, numaNode: number | undefined): GpuDevice {
  return {
    id: vulkanId(device, index),
    index,
    vendor: device.vendor,
    model: device.name,
    memoryMib: 0,
    pciAddress: device.pciAddress,
    driverVersion: device.driverVersion,
    numaNode,
    health: { state: 'healthy' },
    simulated: false,
  };
}

function vulkanId({ vendor, uuid, pciAddress }: VulkanDevice, index: number): string {
  if (pciAddress !== undefined) return pciAddress;
  // NVIDIA's Vulkan driver and nvidia-smi give the same UUID.
  if (uuid !== undefined) return vendor === 'nvidia' ? `GPU-${uuid}` : `vulkan-${uuid}`;
  return `vulkan-${index}`;
}
