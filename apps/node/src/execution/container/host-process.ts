import { readdir, readFile } from 'node:fs/promises';
import { constants } from 'node:os';

/** A tree larger than this is not one of a workload that is about to be signalled one by one. */
const MAX_TREE = 4096;

/** Of `/proc/<pid>/stat`, fields are counted from 1 and the second may contain spaces and brackets. */
const START_TIME_FIELD = 22;

/**
 * Start of a container's process in clock ticks since boot; undefined if it is gone, or if the engine lives
 * in a virtual machine and the pid is another machine's. The cgroup's path carries the container's id.
 */
export async function containerPidStartTicks(pid: number, containerId: string): Promise<number | undefined> {
  try {
    if (!(await readFile(`/proc/${pid}/cgroup`, 'utf8')).includes(containerId)) return undefined;
    return await startTicks(pid);
  } catch {
    return undefined;
  }
}

export async function processRuns(pid: number, pidStartTicks: number): Promise<boolean> {
  try {
    return (await startTicks(pid)) === pidStartTicks;
  } catch {
    return false;
  }
}

async function startTicks(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const afterName = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(afterName[START_TIME_FIELD - 3]);
}

/**
 * Whether a signal's default action is all that this process has for it. For the first process of a container
 * the kernel then ignores the signal (pid_namespaces(7)), although the program expects to end.
 */
export async function hasNoHandler(pid: number, signal: string): Promise<boolean> {
  const number = Object.entries(constants.signals).find(([name]) => name === signal)?.[1];
  if (number === undefined) return false;
  try {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    const bit = 1n << BigInt(number - 1);
    return ['SigIgn', 'SigCgt'].every((field) => (signalMask(status, field) & bit) === 0n);
  } catch {
    return false;
  }
}

function signalMask(status: string, field: string): bigint {
  return BigInt(`0x${new RegExp(`^${field}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1] ?? '0'}`);
}

/** All descendants, parents before children. */
export async function descendants(pid: number): Promise<readonly number[]> {
  const found: number[] = [];
  const queue = [pid];
  for (let next = queue.shift(); next !== undefined && found.length < MAX_TREE; next = queue.shift()) {
    const pids = await children(next);
    found.push(...pids);
    queue.push(...pids);
  }
  return found;
}

/** The kernel lists children by the thread that made them. */
async function children(pid: number): Promise<number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const lists = await Promise.all(
    threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/children`, 'utf8').catch(() => '')),
  );
  return lists.join(' ').split(' ').filter(Boolean).map(Number);
}

/** Signals what may be signalled; what is gone or another user's is passed over. */
export function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // It ended meanwhile, or the engine runs as another user: its own kill follows.
    }
  }
}
