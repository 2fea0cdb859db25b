// Shows that nvidia-smi's complaints are told apart and turned into a sentence with a next step.
import { describe, expect, it } from 'vitest';
import { nvidiaFailure } from '../../src/hardware/nvidia-failure.ts';
import { fixture } from './fixtures.ts';

describe('nvidiaFailure', () => {
  it.each([
    ['error-driver-unreachable.txt', 'driver-unreachable', /modprobe nvidia/],
    ['error-version-mismatch.txt', 'driver-mismatch', /Reboot/],
    ['error-no-devices.txt', 'no-devices', /sees no GPU/],
    ['error-gpu-lost.txt', 'gpu-lost', /0000:02:00\.0 is lost/],
    ['error-handle-unknown.txt', 'gpu-unreachable', /0000:07:00\.0 \(Unknown Error\)/],
  ])('%s is %s', (file, code, sentence) => {
    const failure = nvidiaFailure(fixture(`nvidia/${file}`));
    expect(failure?.code).toBe(code);
    expect(failure?.message).toMatch(sentence);
  });

  it('gives the address of the GPU in question', () => {
    expect(nvidiaFailure(fixture('nvidia/error-gpu-lost.txt'))?.pciAddress).toBe('0000:02:00.0');
  });

  it('finds nothing in a good answer', () => {
    expect(nvidiaFailure(fixture('nvidia/query-h100.csv'))).toBeUndefined();
    expect(nvidiaFailure(fixture('nvidia/table-h100-mig.txt'))).toBeUndefined();
  });
});
