// Shows that memory is collected once work is over and worth it, and never in the middle of work.
import { VirtualClock } from '@clawbernetes/kernel/testing';
import { expect, test } from 'vitest';
import { collectWhenIdle } from '../../src/platform/idle-collection.ts';

const MIB = 1024 * 1024;

test('buffers are collected when the process has become idle, and only if there are many', async () => {
  const clock = new VirtualClock();
  let cpuMs = 0;
  let buffers = 30 * MIB;
  let collections = 0;
  const collect = (): void => {
    collections += 1;
    buffers = 0;
  };
  const timer = collectWhenIdle({ clock, collect, cpuMs: () => cpuMs, bufferBytes: () => buffers });
  for (let second = 0; second < 20; second += 1) {
    cpuMs += 500;
    await clock.advance(1000);
  }
  expect(collections).toBe(0);
  await clock.advance(20_000);
  expect(collections).toBe(1);
  buffers = MIB;
  await clock.advance(20_000);
  expect(collections).toBe(1);
  buffers = 5 * MIB;
  timer.cancel();
  await clock.advance(20_000);
  expect(collections).toBe(1);
});
