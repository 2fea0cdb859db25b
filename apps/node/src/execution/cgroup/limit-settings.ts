import type { Controller } from './cgroup-parent.ts';

export interface CgroupLimits {
  /** Memory and swap together. */
  readonly memoryBytes?: number;
  /** Thousandths of a core. */
  readonly cpuMilli?: number;
  /** Processes and threads. */
  readonly processes: number;
}

export interface LimitSetting {
  readonly controller: Controller;
  readonly file: string;
  readonly value: string;
  /** Where the file is absent, there is nothing to limit: a kernel that does not account swap. */
  readonly optional?: true;
}

/** The period over which a CPU quota is counted, µs: the kernel's default. Its least quota is 1 ms. */
const CPU_PERIOD_US = 100_000;
const MIN_QUOTA_US = 1000;

/**
 * What to write where for `limits`, in this order (cgroups(7), the kernel's cgroup-v1 and cgroup-v2
 * documents).
 */
export function limitSettings(version: 1 | 2, limits: CgroupLimits): readonly LimitSetting[] {
  const { memoryBytes, cpuMilli, processes } = limits;
  const settings: LimitSetting[] = [{ controller: 'pids', file: 'pids.max', value: String(processes) }];
  if (cpuMilli !== undefined) settings.push(cpuSetting(version, cpuMilli));
  if (memoryBytes !== undefined) settings.push(...memorySettings(version, String(memoryBytes)));
  return settings;
}

function cpuSetting(version: 1 | 2, cpuMilli: number): LimitSetting {
  const quotaUs = Math.max(MIN_QUOTA_US, Math.round((cpuMilli * CPU_PERIOD_US) / 1000));
  return version === 1
    ? { controller: 'cpu', file: 'cpu.cfs_quota_us', value: String(quotaUs) }
    : { controller: 'cpu', file: 'cpu.max', value: `${quotaUs} ${CPU_PERIOD_US}` };
}

function memorySettings(version: 1 | 2, bytes: string): readonly LimitSetting[] {
  const controller = 'memory';
  return version === 1
    ? [
        { controller, file: 'memory.limit_in_bytes', value: bytes },
        { controller, file: 'memory.memsw.limit_in_bytes', value: bytes, optional: true },
      ]
    : [
        { controller, file: 'memory.max', value: bytes },
        { controller, file: 'memory.swap.max', value: '0', optional: true },
      ];
}
