// Shows that GPUs of Macs are named, also where the profiler puts a key in the place of the name.
import { describe, expect, it } from 'vitest';
import { parseMacGpus } from '../../src/hardware/apple-gpus.ts';
import { fixture } from './fixtures.ts';

describe('parseMacGpus', () => {
  it('reads Apple GPUs', () => {
    expect(parseMacGpus(fixture('apple/m3-pro.json'))).toEqual([
      { model: 'Apple M3 Pro', vendor: 'apple', cores: 14 },
    ]);
    expect(parseMacGpus(fixture('apple/m1.json'))).toEqual([
      { model: 'Apple M1', vendor: 'apple', cores: 8 },
    ]);
  });

  it('reads cards of an Intel Mac with their memory', () => {
    expect(parseMacGpus(fixture('apple/intel-mac-amd.json'))).toEqual([
      { model: 'Intel UHD Graphics 630', vendor: 'intel', memoryMib: 1536 },
      { model: 'AMD Radeon Pro 5500M', vendor: 'amd', memoryMib: 8192 },
    ]);
  });
});
