// Shows when work may not be placed on a GPU (Xid, ECC, what the driver asks for) and that this ends again.
import { MAX_GPU_FAULTS } from '@clawbernetes/protocol';
import { describe, expect, it } from 'vitest';
import { nvidiaFaults, nvidiaHealth } from '../../src/hardware/gpu-health.ts';
import { NVIDIA_GPU_FIELDS, parseNvidiaGpus, type NvidiaGpu } from '../../src/hardware/nvidia-query.ts';
import type { XidEvent } from '../../src/hardware/xid-events.ts';
import { fixture } from './fixtures.ts';

const HOUR_MS = 3_600_000;

function gpuOf(file: string, fields: readonly string[] = NVIDIA_GPU_FIELDS): NvidiaGpu {
  const [gpu] = parseNvidiaGpus(fixture(`nvidia/${file}`), fields);
  if (!gpu) throw new Error(`no GPU in ${file}`);
  return gpu;
}

const h100 = gpuOf('query-h100.csv');
const oldDriver: NvidiaGpu = { ...h100, recoveryAction: undefined };
const xid = (number: number, bootSeconds = 0): XidEvent => ({
  xid: number,
  pciAddress: '0000:00:09.0',
  message: '',
  bootSeconds,
});

describe('nvidiaHealth', () => {
  it('is healthy without complaints', () => {
    expect(nvidiaHealth(h100, [], HOUR_MS)).toEqual({ state: 'healthy' });
    expect(nvidiaHealth(gpuOf('query-rtx4080-super.csv'), [], HOUR_MS)).toEqual({ state: 'healthy' });
  });

  it('does not blame the GPU for a program', () => {
    expect(nvidiaHealth(h100, [xid(13), xid(31), xid(43), xid(45), xid(94)], HOUR_MS).state).toBe('healthy');
  });

  it('is unhealthy after an Xid that calls for a reset, with age and advice', () => {
    const health = nvidiaHealth(oldDriver, [xid(119, 1_800)], HOUR_MS);
    expect(health.state).toBe('unhealthy');
    expect(health.reason).toMatch(/Xid 119 .* 30m 00s ago; reset the GPU/);
  });

  it('forgets such an Xid after a day, or believes a driver that is content', () => {
    expect(nvidiaHealth(oldDriver, [xid(119)], 25 * HOUR_MS).state).toBe('healthy');
    expect(nvidiaHealth(h100, [xid(119)], HOUR_MS).state).toBe('degraded');
  });

  it('never forgets before a reboot that a GPU fell off the bus', () => {
    expect(nvidiaHealth(h100, [xid(79)], 1_000 * HOUR_MS)).toMatchObject({ state: 'unhealthy' });
  });

  it('names the gravest Xid', () => {
    expect(nvidiaHealth(oldDriver, [xid(79), xid(119), xid(13)], HOUR_MS).reason).toMatch(/^Xid 79 /);
  });

  it('degrades for a row that waits for remapping, and for uncorrected errors', () => {
    const fields = NVIDIA_GPU_FIELDS.slice(0, -1);
    expect(nvidiaHealth(gpuOf('query-a100-row-remap-pending.csv', fields), [], 0)).toMatchObject({
      state: 'degraded',
      reason: expect.stringMatching(/remapping/),
    });
    expect(nvidiaHealth(gpuOf('query-a100-sram-uncorrectable.csv', fields), [], 0)).toMatchObject({
      state: 'degraded',
      reason: expect.stringMatching(/1 uncorrected/),
    });
  });

  it('is unhealthy for pages that wait for retirement, failed remapping, and lost devices', () => {
    expect(nvidiaHealth({ ...h100, retiredPagesPending: true }, [], 0).state).toBe('unhealthy');
    expect(nvidiaHealth({ ...h100, rowRemapFailed: true }, [], 0).reason).toMatch(/replace/);
    expect(nvidiaHealth({ ...h100, fault: 'GPU is lost' }, [], 0).state).toBe('unhealthy');
  });

  it('does what the driver asks for', () => {
    expect(nvidiaHealth({ ...h100, recoveryAction: 'Reset' }, [], 0).state).toBe('unhealthy');
    expect(nvidiaHealth({ ...h100, recoveryAction: 'Drain and Reset' }, [], 0).state).toBe('unhealthy');
    expect(nvidiaHealth({ ...h100, recoveryAction: 'Drain P2P' }, [], 0).state).toBe('degraded');
  });
});

describe('nvidiaFaults', () => {
  const faults = (gpu: NvidiaGpu, ...events: readonly XidEvent[]): string[] =>
    nvidiaFaults(gpu, events, HOUR_MS).map(({ key, kind, action }) => `${key} ${kind} ${action}`);

  it('are what a gateway can decide from: the gravest first, of each Xid the newest occurrence', () => {
    expect(faults(h100)).toEqual([]);
    expect(faults(oldDriver, xid(13, 5), xid(79, 6), xid(119, 7), xid(119, 8), xid(45, 9))).toEqual([
      'xid-79@6 xid drain-reboot',
      'xid-119@8 xid reset-gpu',
      'xid-13@5 xid restart-app',
    ]);
  });

  it('ask for nothing but a new start where the driver is content after all', () => {
    expect(faults(h100, xid(119, 7))).toEqual(['xid-119@7 xid restart-app']);
  });

  it('end with the day on which they came, unless only a reboot helps', () => {
    const old = (number: number): number => nvidiaFaults(oldDriver, [xid(number)], 25 * HOUR_MS).length;
    expect([old(13), old(119), old(79), old(54)]).toEqual([0, 0, 1, 1]);
  });

  it('tell memory that cannot be repaired from a driver that does not answer', () => {
    expect(faults({ ...h100, rowRemapFailed: true })).toEqual(['ecc-row-remap ecc replace']);
    expect(faults({ ...h100, retiredPagesPending: true })).toEqual(['ecc-retired-pages ecc reset-gpu']);
    expect(faults({ ...h100, fault: 'GPU is lost' })).toEqual(['driver driver drain-reboot']);
    expect(faults({ ...h100, recoveryAction: 'Reset' })).toEqual(['driver-recovery driver reset-gpu']);
    expect(faults({ ...h100, recoveryAction: 'Drain P2P' })).toEqual([]);
  });

  it('are never more than a report may carry', () => {
    const many = Array.from({ length: 40 }, (_, index) => xid(8 + index, index));
    expect(nvidiaFaults(oldDriver, many, HOUR_MS).length).toBeLessThanOrEqual(MAX_GPU_FAULTS);
  });
});
