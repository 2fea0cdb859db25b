// Shows that a file system that does not answer is asked once and waited for only so long.
import { tmpdir } from 'node:os';
import { systemClock, errorCode } from '@clawbernetes/kernel';
import { VirtualClock } from '@clawbernetes/kernel/testing';
import { describe, expect, it } from 'vitest';
import { DiskProbe } from '../../src/hardware/system-facts.ts';

describe('DiskProbe', () => {
  it('reads a real file system', async () => {
    const space = await new DiskProbe({ clock: systemClock }, tmpdir()).read();
    expect(space.totalMib).toBeGreaterThan(0);
    expect(space.freeMib).toBeLessThanOrEqual(space.totalMib);
  });

  it('asks a hung one once, and again after it has answered', async () => {
    const clock = new VirtualClock();
    const answers: (() => void)[] = [];
    const statfs = (): Promise<{ bsize: number; blocks: number; bavail: number }> =>
      new Promise((resolve) => {
        answers.push(() => resolve({ bsize: 4_096, blocks: 2_560, bavail: 256 }));
      });
    const disk = new DiskProbe({ clock, statfs }, '/mnt/nfs');
    for (let round = 0; round < 3; round += 1) {
      const reading = disk.read().catch((error: unknown) => error);
      await clock.advance(2_000);
      expect(errorCode(await reading)).toBe('timeout');
    }
    expect(answers).toHaveLength(1);

    const late = disk.read();
    answers[0]?.();
    expect(await late).toEqual({ totalMib: 10, freeMib: 1 });
    void disk.read();
    expect(answers).toHaveLength(2);
  });
});
