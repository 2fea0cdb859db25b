// Shows that processors, memory and CPU time are read from what Linux writes into /proc and /sys.
import { describe, expect, it } from 'vitest';
import {
  countKernelList,
  cpuPercent,
  parseCpuInfo,
  parseCpuTimes,
  parseMemInfo,
  parseOsName,
} from '../../src/hardware/linux-facts.ts';
import { fixture } from './fixtures.ts';

describe('processors', () => {
  it('are counted from /proc/cpuinfo', () => {
    expect(parseCpuInfo(fixture('linux/cpuinfo-2-cores.txt'))).toEqual({
      model: 'AMD EPYC',
      cores: 2,
      sockets: 1,
    });
  });

  it('on two sockets count once each', () => {
    const socket = (physicalId: number): string =>
      [0, 1]
        .map((core) => `processor\t: ${core}\nmodel name\t: Intel(R) Xeon(R)\nphysical id\t: ${physicalId}\n`)
        .join('\n');
    expect(parseCpuInfo(`${socket(0)}\n${socket(1)}`)).toMatchObject({ cores: 4, sockets: 2 });
  });

  it('of ARM machines have no model name', () => {
    expect(parseCpuInfo('processor\t: 0\nBogoMIPS\t: 2000.00\nCPU implementer\t: 0x41\n')).toMatchObject({
      cores: 1,
    });
    expect(parseCpuInfo('')).toBeUndefined();
  });

  it('are spread over NUMA nodes', () => {
    expect(countKernelList('0\n')).toBe(1);
    expect(countKernelList('0-1')).toBe(2);
    expect(countKernelList('0-3,8,250-255')).toBe(11);
    expect(countKernelList('')).toBe(1);
  });
});

describe('memory', () => {
  it('comes from /proc/meminfo', () => {
    const memory = parseMemInfo(fixture('linux/meminfo.txt'));
    expect(memory?.totalMib).toBe(24_105);
    expect(memory?.availableMib).toBeGreaterThan(20_000);
  });

  it('falls back to what is free on old kernels', () => {
    expect(parseMemInfo('MemTotal:  2048 kB\nMemFree: 1024 kB\n')).toEqual({ totalMib: 2, availableMib: 1 });
  });
});

describe('CPU time', () => {
  it('counts waiting for I/O as idle', () => {
    const times = parseCpuTimes('cpu  100 20 30 800 50 5 5 10 0 0\ncpu0 1 2 3 4\n');
    expect(times).toEqual({ busy: 170, total: 1_020 });
    expect(parseCpuTimes(fixture('linux/stat.txt'))).toBeDefined();
  });

  it('is a share of what passed between two readings', () => {
    expect(cpuPercent({ busy: 100, total: 1_000 }, { busy: 150, total: 1_200 })).toBe(25);
    expect(cpuPercent({ busy: 100, total: 1_000 }, { busy: 100, total: 1_000 })).toBe(0);
    expect(cpuPercent({ busy: 100, total: 1_000 }, { busy: 50, total: 900 })).toBe(0);
  });
});

describe('the system', () => {
  it('is named by os-release', () => {
    expect(parseOsName('NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')).toBe(
      'Debian GNU/Linux 12 (bookworm)',
    );
    expect(parseOsName('PRETTY_NAME=Alpine\n')).toBe('Alpine');
  });
});
