// Shows that metrics never hold up a heartbeat for long, and that a hung probe is asked once and not again.
import { silentLogger } from '@clawbernetes/kernel';
import { VirtualClock } from '@clawbernetes/kernel/testing';
import { expect, test } from 'vitest';
import { HeartbeatMetrics } from '../../src/agent/heartbeat-metrics.ts';
import type { MetricsSample } from '../../src/host.ts';
import { virtualHardware } from '../../src/testing/virtual-hardware.ts';

const gpu = {
  ...{ id: 'g0', index: 0, vendor: 'nvidia' as const, model: 'H100', memoryMib: 1, simulated: true },
};
const hardware = virtualHardware({ gpus: [{ ...gpu, health: { state: 'healthy' } }] });

function opened(sample: () => Promise<MetricsSample>, options = {}) {
  const clock = new VirtualClock();
  const counted = { samples: 0 };
  const metrics = new HeartbeatMetrics(
    {
      clock,
      logger: silentLogger,
      hardware: {
        ...hardware,
        sample: () => {
          counted.samples += 1;
          return sample();
        },
      },
    },
    { intervalMs: 10_000, detailedGpuMetrics: true, ...options },
  );
  return { clock, counted, metrics };
}

test('a probe that hangs costs one heartbeat five seconds, the next ones nothing', async () => {
  const { clock, counted, metrics } = opened(() => new Promise(() => undefined));
  const first = metrics.sample();
  await clock.advance(4999);
  expect(await Promise.race([first, Promise.resolve('waits')])).toBe('waits');
  await clock.advance(1);
  expect(await first).toBeUndefined();
  await clock.advance(10_000);
  expect(await metrics.sample()).toBeUndefined();
  expect(counted.samples).toBe(1);
});

test('a probe that fails is tried again with the next sample that is due', async () => {
  let broken = true;
  const { clock, metrics } = opened(() =>
    broken ? Promise.reject(new Error('driver')) : hardware.sample({}),
  );
  expect(await metrics.sample()).toBeUndefined();
  broken = false;
  await clock.advance(10_000);
  expect((await metrics.sample())?.gpus).toHaveLength(1);
});

test('samples are taken as often as configured, however often the heart beats', async () => {
  const { clock, counted, metrics } = opened(() => hardware.sample({}), { intervalMs: 60_000 });
  for (let beat = 0; beat < 12; beat += 1) {
    await metrics.sample();
    await clock.advance(10_000);
  }
  expect(counted.samples).toBe(2);
});

test('details stay on the node if so configured', async () => {
  const { metrics } = opened(() => hardware.sample({}), { detailedGpuMetrics: false });
  expect((await metrics.sample())?.gpus).toEqual([
    { deviceId: 'g0', utilizationPercent: 0, memoryUsedMib: 0 },
  ]);
});
