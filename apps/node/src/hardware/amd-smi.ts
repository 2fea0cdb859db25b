import { jsonAt, jsonNumber, jsonText, parseJsonOutput } from './json-output.ts';
import { pciAddress } from './pci-address.ts';
import type { AmdGpu, AmdGpuReading } from './rocm-smi.ts';

const MAX_GPUS = 256;

/**
 * GPUs from `amd-smi static --json`. Until AMD SMI 25 the document is a list, since then `{ gpu_data: [...]
 * }`; members were renamed too.
 */
export function parseAmdSmiGpus(text: string): readonly AmdGpu[] {
  return entries(text).map(([index, gpu]) => ({
    index,
    model: jsonText(gpu, 'asic', 'market_name') ?? jsonText(gpu, 'board', 'product_name') ?? 'AMD GPU',
    memoryMib: Math.trunc(mebibytes(gpu, 'vram', 'size') ?? mebibytes(gpu, 'vram', 'vram_size') ?? 0),
    pciAddress: pciAddress(jsonText(gpu, 'bus', 'bdf') ?? ''),
    driverVersion: jsonText(gpu, 'driver', 'version') ?? jsonText(gpu, 'driver', 'driver_version'),
    numaNode: naturalNumber(jsonNumber(gpu, 'numa', 'node')),
    powerLimitW:
      quantity(gpu, 'limit', 'socket_power') ??
      quantity(gpu, 'limit', 'max_power') ??
      quantity(gpu, 'limit', 'ppt0', 'socket_power_limit'),
  }));
}

/** Readings from `amd-smi metric --json`. */
export function parseAmdSmiReadings(text: string): readonly AmdGpuReading[] {
  return entries(text).map(([index, gpu]) => {
    const usedMib = mebibytes(gpu, 'mem_usage', 'used_vram');
    return {
      index,
      utilizationPercent: quantity(gpu, 'usage', 'gfx_activity'),
      memoryUsedMib: usedMib === undefined ? undefined : Math.trunc(usedMib),
      temperatureC: quantity(gpu, 'temperature', 'hotspot') ?? quantity(gpu, 'temperature', 'edge'),
      powerW: quantity(gpu, 'power', 'socket_power'),
      clockMhz: quantity(gpu, 'clock', 'gfx_0', 'clk'),
      eccUncorrected: naturalNumber(jsonNumber(gpu, 'ecc', 'total_uncorrectable_count')),
    };
  });
}

function entries(text: string): readonly (readonly [number, unknown])[] {
  const document = parseJsonOutput(text);
  const list = Array.isArray(document) ? document : jsonAt(document, 'gpu_data');
  if (!Array.isArray(list)) return [];
  return list.slice(0, MAX_GPUS).flatMap((gpu: unknown): readonly (readonly [number, unknown])[] => {
    const index = naturalNumber(jsonNumber(gpu, 'gpu'));
    return index === undefined ? [] : [[index, gpu]];
  });
}

/** `{ value: 1000, unit: "W" }` or a bare number. */
function quantity(gpu: unknown, ...path: readonly string[]): number | undefined {
  return jsonNumber(gpu, ...path, 'value') ?? jsonNumber(gpu, ...path);
}

/** AMD SMI writes MB and GB and means binary units: an MI300X has 196,592 "MB" of its 192 GiB. */
function mebibytes(gpu: unknown, ...path: readonly string[]): number | undefined {
  const amount = quantity(gpu, ...path);
  if (amount === undefined || amount < 0) return undefined;
  const factors: Readonly<Record<string, number>> = { B: 1 / 1024 ** 2, KB: 1 / 1024, MB: 1, GB: 1024 };
  return amount * (factors[jsonText(gpu, ...path, 'unit') ?? 'MB'] ?? 1);
}

function naturalNumber(value: number | undefined): number | undefined {
  return value !== undefined && Number.isInteger(value) && value >= 0 ? value : undefined;
}
