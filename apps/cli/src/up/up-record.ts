import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ProcessMark } from './process-mark.ts';

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
