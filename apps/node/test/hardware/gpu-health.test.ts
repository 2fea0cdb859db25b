// Shows when work may not be placed on a GPU (Xid, ECC, what the driver asks for) and that this ends again.
import { describe, expect, it } from 'vitest';
import { nvidiaHealth } from '../../src/hardware/gpu-health.ts';
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
