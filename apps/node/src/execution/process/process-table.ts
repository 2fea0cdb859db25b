import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** USER_HZ: the unit of times in /proc, 100 per second on every Linux architecture that Node supports. */
const TICK_MS = 10;
/** Fields of `/proc/<pid>/stat` (proc(5)), counted from the one after the closing parenthesis of the name. */
const FIELD = { state: 0, parent: 1, group: 2, userTicks: 11, startTicks: 19 } as const;

/**
 * When `pid` started, in clock ticks since boot, or undefined if it is gone or dead: tells a reused pid
 * apart.
 */
export function startTicks(pid: number): number | undefined {
  const fields = statFields(pid);
  return fields === undefined || fields[FIELD.state] === 'Z' ? undefined : Number(fields[FIELD.startTicks]);
}

export function childrenOf(pid: number): readonly number[] {
  const text = read(`/proc/${pid}/task/${pid}/children`)?.trim();
  return text === undefined || text === '' ? [] : text.split(' ').map(Number);
}

/** `pid` and all that descend from it. Bounded: a tree that grows while we walk it does not hold us. */
export function treeOf(pid: number, limit = 10_000): readonly number[] {
  const found = [pid];
  for (let next = 0; next < found.length && found.length < limit; next += 1) {
    found.push(...childrenOf(found[next] ?? pid));
  }
  return found;
}

export interface ProcessUsage {
  /** Of the process and of those of its children that it waited for. */
  readonly cpuMs: number;
  readonly memoryBytes: number;
}

export function usageOf(pid: number): ProcessUsage | undefined {
  const fields = statFields(pid);
  const status = read(`/proc/${pid}/status`);
  if (fields === undefined || status === undefined) return undefined;
  const ticks = fields
    .slice(FIELD.userTicks, FIELD.userTicks + 4)
    .reduce((sum, field) => sum + Number(field), 0);
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? '0';
  return { cpuMs: ticks * TICK_MS, memoryBytes: Number(kibibytes) * 1024 };
}

/**
 * Processes whose initial environment holds `marker`; those of other users cannot be read and are left out.
 * @param after only those whose pid was given out after this one, itself given out seconds ago at most.
 */
export function pidsWithMarker(marker: string, after = 0): readonly number[] {
  return pidsAfter(after).filter((pid) => read(`/proc/${pid}/environ`)?.split('\0').includes(marker));
}

/** Listing /proc costs more than a few looks. */
const MAX_LOOKS = 200;

function pidsAfter(after: number): readonly number[] {
  // Pids rise until they start over from the bottom: only if they have not, a number tells an age.
  const newest = Number(read('/proc/loadavg')?.trim().split(' ').at(-1) ?? 0);
  const count = newest - after;
  if (after > 0 && count >= 0 && count <= MAX_LOOKS) {
    const pids = Array.from({ length: count }, (_, index) => after + 1 + index);
    return pids.filter((pid) => existsSync(`/proc/${pid}`));
  }
  const pids = readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0);
  return count >= 0 ? pids.filter((pid) => pid > after) : pids;
}

function statFields(pid: number): readonly string[] | undefined {
  const text = read(`/proc/${pid}/stat`);
  return text?.slice(text.lastIndexOf(')') + 2).split(' ');
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // Gone, or not ours to read: both are "not there" to us.
    return undefined;
  }
}
