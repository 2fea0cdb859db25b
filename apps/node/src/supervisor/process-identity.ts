import { readFileSync } from 'node:fs';

/** A process, told apart from a later one with the same pid. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot at its start (`/proc/<pid>/stat` field 22); absent where there is no /proc. */
  readonly startTicks?: number;
  readonly bootId: string;
}

/** Changes with every boot of the machine; constant where the system does not tell. */
export function readBootId(): string {
  return readText('/proc/sys/kernel/random/boot_id')?.trim() ?? 'unknown';
}

export function identityOf(pid: number): ProcessIdentity {
  const startTicks = readStat(pid)?.startTicks;
  return { pid, bootId: readBootId(), ...(startTicks !== undefined && { startTicks }) };
}

/** Whether exactly this process still runs; a zombie does not. */
export function isRunning({ pid, startTicks, bootId }: ProcessIdentity): boolean {
  if (bootId !== readBootId() || !isSignallable(pid)) return false;
  const stat = readStat(pid);
  if (!stat) return startTicks === undefined;
  return (
    stat.state !== 'Z' && stat.state !== 'X' && (startTicks === undefined || stat.startTicks === startTicks)
  );
}

function isSignallable(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/**
 * The name in `stat` may hold spaces and brackets, so fields are counted from the last bracket: state is
 * field 3.
 */
function readStat(pid: number): { state: string | undefined; startTicks: number } | undefined {
  const text = readText(`/proc/${pid}/stat`);
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields && { state: fields[0], startTicks: Number(fields[19]) };
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
