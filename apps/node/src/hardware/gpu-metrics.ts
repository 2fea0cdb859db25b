import type { GpuDevice } from '@clawbernetes/protocol';
import type { GpuMetrics } from '../host.ts';
import { parseAmdSmiReadings } from './amd-smi.ts';
import { finiteNumber } from './json-output.ts';
import { nvidiaQueryArgs, parseNvidiaRows } from './nvidia-query.ts';
import type { ProbeRunner } from './probe-runner.ts';
import { parseRocmReadings, ROCM_METRICS_ARGS, type AmdGpuReading } from './rocm-smi.ts';

/** What a GPU shows at one moment; what it does not tell is left out. */
export type GpuReading = GpuMetrics;

/** Known to all drivers that are still in use. */
export const NVIDIA_METRICS_FIELDS = [
  'uuid',
  'utilization.gpu',
  'memory.used',
  'temperature.gpu',
  'power.draw',
  'clocks.current.sm',
  'ecc.errors.uncorrected.volatile.total',
] as const;

/** Rows of `nvidia-smi --query-gpu=<NVIDIA_METRICS_FIELDS> --format=csv,noheader,nounits`. */
export function parseNvidiaReadings(text: string): readonly GpuReading[] {
  return parseNvidiaRows(text, NVIDIA_METRICS_FIELDS).flatMap((row): readonly GpuReading[] => {
    const deviceId = row.get('uuid');
    if (!deviceId?.startsWith('GPU-')) return [];
    const number = (field: string): number | undefined => finiteNumber(row.get(field) ?? '');
    return [
      {
        deviceId,
        utilizationPercent: number('utilization.gpu'),
        memoryUsedMib: number('memory.used'),
        temperatureC: number('temperature.gpu'),
        powerW: number('power.draw'),
        clockMhz: number('clocks.current.sm'),
        eccUncorrected: number('ecc.errors.uncorrected.volatile.total'),
      },
    ];
  });
}

/**
 * From start to the polite signal, ms. Shorter than other probes': a heartbeat waits 5 s for its metrics, and
 * those of the machine itself must not miss it because a tool hangs.
 */
const READ_LIMITS = { deadlineMs: 3_000 };

/** Readings of `gpus`; a tool that hangs or fails leaves out its own. Never rejects. */
export async function readGpus(
  probes: ProbeRunner,
  gpus: readonly GpuDevice[],
): Promise<readonly GpuReading[]> {
  const real = gpus.filter((gpu) => !gpu.simulated);
  const amdGpus = real.filter((gpu) => gpu.vendor === 'amd');
  const [nvidia, amd] = await Promise.all([
    real.some((gpu) => gpu.vendor === 'nvidia') ? readNvidia(probes) : [],
    amdGpus.length > 0 ? readAmd(probes, amdGpus) : [],
  ]);
  const known = new Set(real.map((gpu) => gpu.id));
  return [...nvidia, ...amd].filter((reading) => known.has(reading.deviceId));
}

async function readNvidia(probes: ProbeRunner): Promise<readonly GpuReading[]> {
  const command = { program: 'nvidia-smi', args: nvidiaQueryArgs(NVIDIA_METRICS_FIELDS) };
  const result = await probes.run(command, READ_LIMITS);
  return result.outcome === 'finished' ? parseNvidiaReadings(result.stdout) : [];
}

async function readAmd(probes: ProbeRunner, gpus: readonly GpuDevice[]): Promise<readonly GpuReading[]> {
  const amdSmi = await probes.run({ program: 'amd-smi', args: ['metric', '--json'] }, READ_LIMITS);
  const readings = amdSmi.outcome === 'finished' ? parseAmdSmiReadings(amdSmi.stdout) : [];
  // Where one tool hangs in the driver the other would hang too, and the time is gone.
  if (readings.length > 0 || amdSmi.outcome === 'timed-out') return withDeviceIds(readings, gpus);
  const rocmSmi = await probes.run({ program: 'rocm-smi', args: ROCM_METRICS_ARGS }, READ_LIMITS);
  return withDeviceIds(rocmSmi.outcome === 'finished' ? parseRocmReadings(rocmSmi.stdout) : [], gpus);
}

/** AMD's tools name devices in readings by index only. */
function withDeviceIds(
  readings: readonly AmdGpuReading[],
  gpus: readonly GpuDevice[],
): readonly GpuReading[] {
  return readings.flatMap(({ index, ...reading }): readonly GpuReading[] => {
    const gpu = gpus.find((candidate) => candidate.index === index);
    return gpu ? [{ deviceId: gpu.id, ...reading }] : [];
  });
}

/** Length of a simulated GPU's wave of work, ms. */
const WAVE_MS = 600_000;

/**
 * What a simulated GPU might show at `nowMs`: a slow wave of work, each GPU a little behind the one before.
 * The same moment always gives the same numbers.
 */
export function simulatedReading(gpu: GpuDevice, nowMs: number): GpuReading {
  const phase = ((nowMs % WAVE_MS) / WAVE_MS + gpu.index / 16) * 2 * Math.PI;
  const load = (1 + Math.sin(phase)) / 2;
  const limitW = gpu.powerLimitW ?? 300;
  return {
    deviceId: gpu.id,
    utilizationPercent: Math.round(100 * load),
    memoryUsedMib: Math.round(gpu.memoryMib * (0.01 + 0.8 * load)),
    temperatureC: Math.round(32 + 40 * load),
    powerW: Math.round(limitW * (0.12 + 0.8 * load)),
    clockMhz: Math.round(345 + 1_500 * load),
    eccUncorrected: 0,
  };
}
