export interface CpuFacts {
  /** Undefined where the architecture does not say it (some ARM). */
  readonly model?: string | undefined;
  /** Logical processors. */
  readonly cores: number;
  readonly sockets: number;
}

/** `/proc/cpuinfo`; undefined if no processor is in it. */
export function parseCpuInfo(text: string): CpuFacts | undefined {
  const values = (name: string): readonly string[] =>
    [...text.matchAll(new RegExp(`^${name}[\\t ]*:[\\t ]*(.{0,200})$`, 'gm'))].map(([, value = '']) =>
      value.trim(),
    );
  const cores = values('processor').length;
  if (cores === 0) return undefined;
  const sockets = new Set(values('physical id')).size;
  const model = values('model name')[0] ?? values('Model')[0] ?? values('cpu')[0];
  return { model: model === '' ? undefined : model, cores, sockets: Math.max(1, sockets) };
}

export interface MemoryFacts {
  readonly totalMib: number;
  /** What new programs could get: free plus what the kernel would give back. */
  readonly availableMib: number;
}

/** `/proc/meminfo`; undefined without a total. */
export function parseMemInfo(text: string): MemoryFacts | undefined {
  const kibibytes = (name: string): number | undefined => {
    const amount = new RegExp(`^${name}:\\s+(\\d{1,15}) kB$`, 'm').exec(text)?.[1];
    return amount === undefined ? undefined : Number(amount);
  };
  const total = kibibytes('MemTotal');
  if (total === undefined) return undefined;
  // Kernels before 3.14 have no MemAvailable.
  const available = kibibytes('MemAvailable') ?? kibibytes('MemFree') ?? 0;
  return { totalMib: Math.floor(total / 1024), availableMib: Math.floor(Math.min(available, total) / 1024) };
}

/** How many numbers a kernel list such as `0-3,8` has; at least 1. */
export function countKernelList(text: string): number {
  let count = 0;
  for (const part of text.trim().split(',').slice(0, 4_096)) {
    const [, first, last = first] = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(part) ?? [];
    if (first !== undefined) count += Math.max(0, Number(last) - Number(first) + 1);
  }
  return Math.max(1, count);
}

/** CPU time since boot, in any unit: only shares of it are used. */
export interface CpuTimes {
  readonly busy: number;
  readonly total: number;
}

/**
 * The first line of `/proc/stat`. Time of guests is in `user` and `nice` already; waiting for I/O is idle.
 */
export function parseCpuTimes(text: string): CpuTimes | undefined {
  const fields = /^cpu +((?:\d{1,20} ?){4,10})/m.exec(text)?.[1]?.trim().split(' ').map(Number);
  if (!fields) return undefined;
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] = fields;
  const busy = user + nice + system + irq + softirq + steal;
  return { busy, total: busy + idle + iowait };
}

/** Share of the time between two readings, 0 to 100. */
export function cpuPercent(before: CpuTimes, after: CpuTimes): number {
  const total = after.total - before.total;
  if (total <= 0) return 0;
  return Math.min(100, Math.max(0, (100 * (after.busy - before.busy)) / total));
}

/** `PRETTY_NAME` of `/etc/os-release`. */
export function parseOsName(text: string): string | undefined {
  const name = /^PRETTY_NAME=(.{1,200})$/m.exec(text)?.[1]?.trim();
  return name?.replace(/^(["'])(.*)\1$/, '$2');
}
