// Shows that rows of nvidia-smi's query are read as real drivers print them, unknown and broken cells too.
import { describe, expect, it } from 'vitest';
import { NVIDIA_GPU_FIELDS, parseNvidiaGpus, unknownQueryField } from '../../src/hardware/nvidia-query.ts';
import { parseNvidiaReadings } from '../../src/hardware/gpu-metrics.ts';
import { fixture } from './fixtures.ts';

const MASKED = 'GPU-00000000-0000-0000-0000-000000000000';

describe('the inventory query', () => {
  it('reads an H100', () => {
    expect(parseNvidiaGpus(fixture('nvidia/query-h100.csv'), NVIDIA_GPU_FIELDS)).toEqual([
      {
        index: 0,
        uuid: MASKED,
        name: 'NVIDIA H100 80GB HBM3',
        pciAddress: '0000:00:09.0',
        memoryMib: 81_559,
        driverVersion: '590.48.01',
        powerLimitW: 700,
        computeCapability: '9.0',
        migEnabled: false,
        eccUncorrected: 0,
        rowRemapPending: false,
        rowRemapFailed: false,
        recoveryAction: 'None',
      },
    ]);
  });

  it('reads an H100 in MIG mode, whose row remapping is not to be asked', () => {
    const [gpu] = parseNvidiaGpus(fixture('nvidia/query-h100-mig.csv'), NVIDIA_GPU_FIELDS);
    expect(gpu).toMatchObject({ migEnabled: true, memoryMib: 81_559 });
    expect(gpu?.rowRemapPending).toBeUndefined();
  });

  it('leaves out what a GeForce card does not have', () => {
    const [gpu] = parseNvidiaGpus(fixture('nvidia/query-rtx4080-super.csv'), NVIDIA_GPU_FIELDS);
    expect(gpu).toMatchObject({ name: 'NVIDIA GeForce RTX 4080 SUPER', memoryMib: 16_376, powerLimitW: 320 });
    expect(gpu?.migEnabled).toBeUndefined();
    expect(gpu?.eccUncorrected).toBeUndefined();
  });

  it('takes the words of older drivers for unknown', () => {
    const row =
      '0, GPU-22b2c6ac, GeForce RTX 2080, 00000000:0A:00.0, 7979, 440.64, [Not Supported], N/A, [N/A], [N/A]';
    const [gpu] = parseNvidiaGpus(row, NVIDIA_GPU_FIELDS.slice(0, 10));
    expect(gpu).toMatchObject({ name: 'GeForce RTX 2080', pciAddress: '0000:0a:00.0', memoryMib: 7979 });
    expect(gpu?.powerLimitW).toBeUndefined();
  });

  it('keeps a GPU whose values are gone, and says so', () => {
    const row = `3, ${MASKED}, NVIDIA A100, 00000000:10:1C.0, [GPU requires reset], 535.1, [Unknown Error]`;
    const [gpu] = parseNvidiaGpus(row, NVIDIA_GPU_FIELDS.slice(0, 7));
    expect(gpu).toMatchObject({ index: 3, memoryMib: 0, fault: 'Unknown Error' });
  });

  it('skips lines that are no rows', () => {
    const text = [
      fixture('nvidia/error-gpu-lost.txt'),
      fixture('nvidia/query-h100.csv'),
      'WARNING: infoROM\n',
    ];
    expect(parseNvidiaGpus(text.join(''), NVIDIA_GPU_FIELDS)).toHaveLength(1);
  });

  it('names the field that a driver does not know', () => {
    expect(unknownQueryField(fixture('nvidia/error-unknown-field.txt'))).toBe('compute_cap');
    expect(unknownQueryField(fixture('nvidia/query-h100.csv'))).toBeUndefined();
  });
});

describe('the metrics query', () => {
  it('reads an idle H100', () => {
    expect(parseNvidiaReadings(fixture('nvidia/metrics-h100.csv'))).toEqual([
      {
        deviceId: MASKED,
        utilizationPercent: 0,
        memoryUsedMib: 0,
        temperatureC: 41,
        powerW: 69.85,
        clockMhz: 345,
        eccUncorrected: 0,
      },
    ]);
  });

  it('leaves out the utilisation of a GPU in MIG mode', () => {
    const [reading] = parseNvidiaReadings(fixture('nvidia/metrics-h100-mig.csv'));
    expect(reading).toMatchObject({ memoryUsedMib: 59, powerW: 71.15 });
    expect(reading?.utilizationPercent).toBeUndefined();
  });

  it('leaves out the ECC errors of a GeForce card', () => {
    const [reading] = parseNvidiaReadings(fixture('nvidia/metrics-rtx4080-super.csv'));
    expect(reading).toMatchObject({ memoryUsedMib: 596, temperatureC: 43 });
    expect(reading?.eccUncorrected).toBeUndefined();
  });
});
