import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '@clawbernetes/kernel';
import { endProcess } from './end-process.ts';
import type { ProcessMark } from './process-mark.ts';

/** Covers the grace that a supervisor gives its workloads when it is told to end. */
const ENDS_WITHIN_MS = 15_000;
const KILLED_WITHIN_MS = 3000;

/**
 * Ends the supervisor that an agent left behind, since it is made to outlive agents. One that was told to
 * stop took its
 * supervisor with it; one that was killed did not. Processes die with their supervisor.
 */
export async function endSupervisor(clock: Clock, home: string, force?: AbortSignal): Promise<void> {
  const mark = await supervisorMark(home);
  if (!mark) return;
  const polite = { signal: 'SIGTERM', withinMs: ENDS_WITHIN_MS, ...(force ? { force } : {}) } as const;
  if (await endProcess(clock, mark, polite)) return;
  await endProcess(clock, mark, { signal: 'SIGKILL', withinMs: KILLED_WITHIN_MS });
}

async function supervisorMark(home: string): Promise<ProcessMark | undefined> {
  try {
    const lock = path.join(home, 'node', 'supervisor', 'supervisor.lock');
    return JSON.parse(await readFile(lock, 'utf8')) as ProcessMark;
  } catch {
    return undefined; // none runs
  }
}
