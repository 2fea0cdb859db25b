// Shows that AMD GPUs are read from published rocm-smi and amd-smi documents of several releases.
import { describe, expect, it } from 'vitest';
import { parseAmdSmiGpus, parseAmdSmiReadings } from '../../src/hardware/amd-smi.ts';
import { parseRocmGpus, parseRocmLinks, parseRocmReadings } from '../../src/hardware/rocm-smi.ts';
import { fixture } from './fixtures.ts';

describe('rocm-smi', () => {
  it('reads four MI100', () => {
    const gpus = parseRocmGpus(fixture('amd/rocm-smi-mi100.json'));
    expect(gpus.map((gpu) => gpu.pciAddress)).toEqual([
      '0000:83:00.0',
      '0000:a3:00.0',
      '0000:c3:00.0',
      '0000:e3:00.0',
    ]);
    expect(gpus[0]).toEqual({
      index: 0,
      model: 'Arcturus GL-XL [Instinct MI100]',
      memoryMib: 32_752,
      pciAddress: '0000:83:00.0',
      driverVersion: '6.3.6',
      numaNode: 1,
      powerLimitW: 290,
    });
  });

  it('reads links of the cards', () => {
    const links = parseRocmLinks(fixture('amd/rocm-smi-mi100.json'));
    expect(links).toHaveLength(6);
    expect(links[0]).toEqual({ from: 0, to: 1, kind: 'PCIE' });
  });

  it('reads an older and a newer release', () => {
    expect(parseRocmGpus(fixture('amd/rocm-smi-mi50.json'))[0]).toMatchObject({
      model: 'Radeon Instinct MI50 32GB',
    });
    expect(parseRocmGpus(fixture('amd/rocm-smi-rx7900xt.json'))[0]).toMatchObject({
      model: 'Radeon RX 7900 XT',
      memoryMib: 20_464,
    });
    expect(parseRocmGpus(fixture('amd/rocm-smi-radeon-780m.json'))[0]).toMatchObject({
      model: 'Phoenix3',
      pciAddress: '0000:c4:00.0',
    });
  });

  it('reads what is in use', () => {
    expect(parseRocmReadings(fixture('amd/rocm-smi-mi100.json'))[1]).toEqual({
      index: 1,
      utilizationPercent: 0,
      memoryUsedMib: 6,
      temperatureC: 58,
      powerW: 44,
      clockMhz: 300,
    });
    expect(parseRocmReadings(fixture('amd/rocm-smi-radeon-780m.json'))[0]).toMatchObject({
      utilizationPercent: 19,
      powerW: 7.222,
    });
  });

  it('does not take a device id for a name', () => {
    expect(parseRocmGpus('{"card0": {"Card Model": "0x744c"}}')).toMatchObject([{ model: 'AMD GPU' }]);
    expect(parseRocmGpus('{"card0": {"Card series": "0x744c", "Card model": "RX 7900"}}')).toMatchObject([
      { model: 'RX 7900' },
    ]);
  });

  it('finds nothing where the tool has nothing to report', () => {
    expect(parseRocmGpus(fixture('amd/rocm-smi-no-data.txt'))).toEqual([]);
  });

  it('reads past a warning', () => {
    const warning = 'WARNING: AMD GPU device(s) is/are in a low-power state.\n';
    expect(parseRocmGpus(warning + fixture('amd/rocm-smi-rx7900xt.json'))).toHaveLength(1);
  });
});

describe('amd-smi', () => {
  it('reads a list document', () => {
    expect(parseAmdSmiGpus(fixture('amd/amd-smi-static-mi350x.json'))).toEqual([
      {
        index: 0,
        model: 'AMD Instinct MI350X',
        memoryMib: 294_896,
        pciAddress: '0000:05:00.0',
        driverVersion: '6.18.3',
        numaNode: 0,
        powerLimitW: 1000,
      },
    ]);
  });

  it('reads a document with gpu_data and renamed limits', () => {
    expect(parseAmdSmiGpus(fixture('amd/amd-smi-static-mi355x.json'))).toMatchObject([
      { model: 'AMD Instinct MI355X', driverVersion: '6.16.6', powerLimitW: 1400 },
    ]);
  });

  it('reads what is in use', () => {
    expect(parseAmdSmiReadings(fixture('amd/amd-smi-metric-mi355x.json'))).toMatchObject([
      { index: 0, utilizationPercent: 0, memoryUsedMib: 283, powerW: 239, temperatureC: 36 },
    ]);
    expect(parseAmdSmiReadings(fixture('amd/amd-smi-metric-usage-w7700.json'))).toMatchObject([
      { index: 0, utilizationPercent: 42 },
    ]);
  });
});
