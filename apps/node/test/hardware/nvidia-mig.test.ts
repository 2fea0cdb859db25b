// Shows that MIG instances are found with their GPU, profile and memory.
import { describe, expect, it } from 'vitest';
import { migProfileMemoryMib, parseMigInstances, parseMigMemoryMib } from '../../src/hardware/nvidia-mig.ts';
import { fixture } from './fixtures.ts';

describe('parseMigInstances', () => {
  it('reads the instances of an H100', () => {
    const instances = parseMigInstances(fixture('nvidia/list-h100-mig.txt'));
    expect(instances.map(({ device, profile, uuid }) => `${device} ${profile} ${uuid.slice(0, 12)}`)).toEqual(
      [
        '0 3g.40gb MIG-00000000',
        '1 2g.20gb MIG-00000001',
        '2 1g.10gb MIG-00000002',
        '3 1g.10gb MIG-00000003',
      ],
    );
  });

  it('gives instances to the GPU above them only', () => {
    const instances = parseMigInstances(fixture('nvidia/list-a100-4-one-mig.txt'));
    expect(instances).toHaveLength(4);
    expect(new Set(instances.map((instance) => instance.gpuUuid))).toEqual(
      new Set(['GPU-513536b6-7d19-9063-b049-1e69664bb298']),
    );
  });

  it('finds none on cards without MIG', () => {
    expect(parseMigInstances(fixture('nvidia/list-quadro-rtx4000.txt'))).toEqual([]);
  });
});

describe('memory of MIG instances', () => {
  it('is in the table of plain nvidia-smi', () => {
    expect([...parseMigMemoryMib(fixture('nvidia/table-h100-mig.txt'))]).toEqual([
      ['0/0', 40_448],
      ['0/1', 20_096],
      ['0/2', 9_984],
      ['0/3', 9_984],
    ]);
  });

  it('is never promised too high from the profile', () => {
    const real: readonly (readonly [string, number])[] = [
      ['3g.40gb', 40_448],
      ['2g.20gb', 20_096],
      ['1g.10gb', 9_984],
      ['1g.5gb', 4_864],
    ];
    for (const [profile, mib] of real) expect(migProfileMemoryMib(profile)).toBeLessThanOrEqual(mib);
    expect(migProfileMemoryMib('1c.3g.40gb')).toBeGreaterThan(38_000);
    expect(migProfileMemoryMib('nonsense')).toBe(0);
  });
});
