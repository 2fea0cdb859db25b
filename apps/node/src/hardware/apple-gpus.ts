import type { GpuDevice } from '@clawbernetes/protocol';
import { countGpus, probeRecord, type GpuDetection, type GpuDetectionDeps } from './gpu-detection.ts';
import { jsonAt, jsonNumber, jsonText, parseJsonOutput } from './json-output.ts';

export interface MacGpu {
  readonly model: string;
  readonly vendor: GpuDevice['vendor'];
  /** Of an Apple GPU. */
  readonly cores?: number | undefined;
  /** Of a card with memory of its own. */
  readonly memoryMib?: number | undefined;
}

/** GPUs from `system_profiler SPDisplaysDataType -json`. `_name` may be a key such as `kHW_AppleM1Item`. */
export function parseMacGpus(text: string): readonly MacGpu[] {
  const list = jsonAt(parseJsonOutput(text), 'SPDisplaysDataType');
  if (!Array.isArray(list)) return [];
  return list.slice(0, 16).flatMap((gpu: unknown): readonly MacGpu[] => {
    const model = jsonText(gpu, 'sppci_model') ?? jsonText(gpu, '_name');
    if (model === undefined) return [];
    return [
      {
        model,
        vendor: vendorOf(jsonText(gpu, 'spdisplays_vendor') ?? '', model),
        cores: jsonNumber(gpu, 'sppci_cores'),
        memoryMib: memoryMib(jsonText(gpu, 'spdisplays_vram') ?? jsonText(gpu, '_spdisplays_vram')),
      },
    ];
  });
}

/** GPUs of a Mac; empty on other systems. */
export async function detectAppleGpus(
  { clock, probes }: Pick<GpuDetectionDeps, 'clock' | 'probes'>,
  { systemMemoryMib }: { readonly systemMemoryMib: number },
): Promise<GpuDetection> {
  const startedMs = clock.monotonicMs();
  const result = await probes.run({
    program: '/usr/sbin/system_profiler',
    args: ['SPDisplaysDataType', '-json'],
  });
  const gpus = parseMacGpus(result.outcome === 'finished' ? result.stdout : '');
  const probe =
    result.outcome === 'finished'
      ? {
          name: 'apple',
          outcome: gpus.length > 0 ? ('found' as const) : ('absent' as const),
          detail: countGpus(gpus.length),
        }
      : { name: 'apple', outcome: result.outcome, detail: result.message };
  return {
    gpus: gpus.map((gpu, index) => toDevice(gpu, index, systemMemoryMib)),
    links: [],
    probes: [probeRecord(clock, startedMs, probe)],
  };
}

function toDevice(
  { model, vendor, memoryMib: own }: MacGpu,
  index: number,
  systemMemoryMib: number,
): GpuDevice {
  return {
    id: `mac-gpu-${index}`,
    index,
    vendor,
    model,
    memoryMib: vendor === 'apple' ? unifiedMemoryMib(systemMemoryMib) : (own ?? 0),
    health: { state: 'healthy' },
    simulated: false,
  };
}

/**
 * What Metal lets a GPU with unified memory use by default (`recommendedMaxWorkingSetSize`): two thirds of
 * the machine's memory, three quarters above 36 GiB.
 */
function unifiedMemoryMib(systemMemoryMib: number): number {
  return Math.floor(systemMemoryMib * (systemMemoryMib > 36 * 1024 ? 3 / 4 : 2 / 3));
}

function vendorOf(vendor: string, model: string): GpuDevice['vendor'] {
  const words = `${vendor} ${model}`.toLowerCase();
  return (['apple', 'nvidia', 'amd', 'intel'] as const).find((name) => words.includes(name)) ?? 'other';
}

/** `8 GB`, `1536 MB`. */
function memoryMib(text: string | undefined): number | undefined {
  const [, amount, unit] = /^(\d{1,6}) (GB|MB)$/.exec(text ?? '') ?? [];
  if (amount === undefined) return undefined;
  return Number(amount) * (unit === 'GB' ? 1024 : 1);
}
