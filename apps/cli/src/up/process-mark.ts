import { readFileSync } from 'node:fs';

/** A process by its number and its start, so that a reused number is not taken for it. */
export interface ProcessMark {
  readonly pid: number;
  /** Field 22 of /proc/<pid>/stat; absent where there is no /proc. */
  readonly startTicks?: number | undefined;
}

export function markOf(pid: number): ProcessMark {
  return { pid, startTicks: startTicksOf(pid) };
}

export function isAlive({ pid, startTicks }: ProcessMark): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  return startTicks === undefined || startTicksOf(pid) === startTicks;
}

/** Undefined for a process that has ended, a zombie included, and where there is no /proc. */
function startTicksOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name, field 2, may hold blanks and parentheses; what follows its last parenthesis begins with field
    // 3.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : Number(fields[19]);
  } catch {
    return undefined;
  }
}
