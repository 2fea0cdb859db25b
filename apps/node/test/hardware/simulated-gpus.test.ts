// Shows that --simulate-gpus makes labelled devices with full links and explains what it does not understand.
import { describe, expect, it } from 'vitest';
import { gpuDeviceSchema, gpuLinkSchema } from '@clawbernetes/protocol';
import { errorCode, errorMessage } from '@clawbernetes/kernel';
import { simulatedReading } from '../../src/hardware/gpu-metrics.ts';
import { simulateGpus } from '../../src/hardware/simulated-gpus.ts';
import { SIMULATED_MODELS } from '../../src/hardware/simulated-models.ts';

function refusal(spec: string): string {
  try {
    simulateGpus(spec);
  } catch (error) {
    expect(errorCode(error)).toBe('invalid-simulated-gpus');
    return errorMessage(error);
  }
  throw new Error(`${spec} was accepted`);
}

describe('simulateGpus', () => {
  it('makes eight H100 behind an NVSwitch on two sockets', () => {
    const { gpus, links } = simulateGpus('8xH100');
    expect(gpus.map((gpu) => gpu.id)).toEqual(Array.from({ length: 8 }, (_, index) => `sim-gpu-${index}`));
    expect(gpus.every((gpu) => gpu.simulated && gpu.memoryMib === 81_559)).toBe(true);
    expect(gpus.map((gpu) => gpu.numaNode)).toEqual([0, 0, 0, 0, 1, 1, 1, 1]);
    expect(links).toHaveLength(56);
    expect(links.every((link) => link.link === 'NV' && link.width === 18)).toBe(true);
  });

  it('makes mixed machines, whose models meet over PCIe', () => {
    const { gpus, links } = simulateGpus('4xA100-80GB,2xRTX4090');
    expect(gpus.map((gpu) => gpu.model)).toEqual([
      ...Array.from({ length: 4 }, () => 'NVIDIA A100-SXM4-80GB'),
      ...Array.from({ length: 2 }, () => 'NVIDIA GeForce RTX 4090'),
    ]);
    const kind = (from: number, to: number): string | undefined =>
      links.find((link) => link.from === `sim-gpu-${from}` && link.to === `sim-gpu-${to}`)?.link;
    expect(kind(0, 3)).toBe('NV');
    expect(kind(0, 4)).toBe('SYS');
    expect(kind(3, 4)).toBe('PHB');
    expect(kind(4, 5)).toBe('PHB');
  });

  it('makes devices and links that the protocol takes, for every model', () => {
    for (const name of Object.keys(SIMULATED_MODELS)) {
      const { gpus, links } = simulateGpus(`3x${name}`);
      for (const gpu of gpus) expect(gpuDeviceSchema.parse(gpu)).toEqual(gpu);
      for (const link of links) expect(gpuLinkSchema.parse(link)).toEqual(link);
    }
  });

  it('takes a model alone and any case', () => {
    expect(simulateGpus('h100').gpus).toHaveLength(1);
    expect(simulateGpus('2xmi300x').links.map((link) => link.link)).toEqual(['XGMI', 'XGMI']);
  });

  it('names the part that it does not understand, and the nearest model', () => {
    expect(refusal('8xH10O')).toMatch(/"H10O".*Did you mean H100\?.*Known models: H100, /);
    expect(refusal('4xA100,2xRTX409')).toMatch(/"RTX409".*Did you mean RTX4090\?/);
    expect(refusal('8 x H100')).toMatch(/"8 x H100".*like 8xH100/);
    expect(refusal('0xH100')).toMatch(/"0xH100"/);
    expect(refusal('')).toMatch(/like 8xH100/);
    expect(refusal('9999xH100')).toMatch(/at most 256/);
  });
});

describe('simulated MIG', () => {
  it('cuts each GPU of a group into the instances that are named', () => {
    const { gpus, links } = simulateGpus('2xA100-80GB/3g.40gb/1g.10gb,1xH100');
    const instances = gpus.filter((gpu) => gpu.parentId !== undefined);
    expect(gpus.map((gpu) => gpuDeviceSchema.parse(gpu).migEnabled)).toEqual([
      ...[true, true, false],
      ...instances.map(() => undefined),
    ]);
    expect(instances.map(({ parentId, migProfile }) => `${parentId} ${migProfile}`)).toEqual([
      ...['sim-gpu-0 3g.40gb', 'sim-gpu-0 1g.10gb', 'sim-gpu-1 3g.40gb', 'sim-gpu-1 1g.10gb'],
    ]);
    expect(new Set(gpus.map(({ id }) => id)).size).toBe(7);
    expect(instances.every((gpu) => gpu.simulated && gpu.memoryMib > 9000)).toBe(true);
    expect(links).toHaveLength(6);
    expect(refusal('H100/huge')).toMatch(/like 8xH100/);
  });
});

describe('readings of a simulated GPU', () => {
  it('are the same for the same moment and stay within its limits', () => {
    const [gpu] = simulateGpus('1xH100').gpus;
    if (!gpu) throw new Error('no GPU');
    for (let nowMs = 0; nowMs < 1_200_000; nowMs += 10_000) {
      const reading = simulatedReading(gpu, nowMs);
      expect(reading).toEqual(simulatedReading(gpu, nowMs));
      expect(reading.utilizationPercent).toBeLessThanOrEqual(100);
      expect(reading.memoryUsedMib).toBeLessThanOrEqual(gpu.memoryMib);
      expect(reading.powerW).toBeLessThanOrEqual(gpu.powerLimitW ?? 0);
    }
  });
});
