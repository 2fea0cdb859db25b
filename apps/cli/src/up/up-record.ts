import { readFileSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** A process by its number and its start, so that a reused number is not taken for it. */
export interface ProcessMark {
  readonly pid: number;
  /** Field 22 of /proc/<pid>/stat; absent where there is no /proc. */
  readonly startTicks?: string | undefined;
}

/** What `up` runs, for `down` in another terminal. */
export interface UpRecord {
  readonly up: ProcessMark;
  readonly gateway?: ProcessMark | undefined;
  readonly node?: ProcessMark | undefined;
}

function recordFile(home: string): string {
  return path.join(home, 'up.json');
}

export async function writeUpRecord(home: string, record: UpRecord): Promise<void> {
  const draft = `${recordFile(home)}.tmp`;
  await writeFile(draft, `${JSON.stringify(record)}\n`, { mode: 0o600 });
  await rename(draft, recordFile(home));
}

export async function removeUpRecord(home: string): Promise<void> {
  await rm(recordFile(home), { force: true });
}

export async function readUpRecord(home: string): Promise<UpRecord | undefined> {
  try {
    return JSON.parse(await readFile(recordFile(home), 'utf8')) as UpRecord;
  } catch {
    return undefined; // none, or one that was never finished
  }
}

export function markOf(pid: number): ProcessMark {
  return { pid, startTicks: startTicks(pid) };
}

export function isAlive({ pid, startTicks: recorded }: ProcessMark): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  return recorded === undefined || startTicks(pid) === recorded;
}

function startTicks(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name, field 2, may hold blanks and parentheses; what follows its last parenthesis begins with field 3.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
