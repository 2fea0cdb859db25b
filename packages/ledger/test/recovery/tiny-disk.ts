import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

export interface TinyDisk extends AsyncDisposable {
  readonly folder: string;
  /** There is room again. */
  grow(): void;
}

/** A file system of a few hundred KiB; undefined where nobody may mount one. */
export async function mountTinyDisk(kib: number): Promise<TinyDisk | undefined> {
  const folder = await mkdtemp(path.join(tmpdir(), 'claw-tiny-disk-'));
  const mount = (options: string): void => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { stdio: 'ignore' });
  };
  try {
    mount(`size=${kib}k`);
  } catch {
    await rm(folder, { recursive: true });
    return undefined;
  }
  return {
    folder,
    grow: () => mount('remount,size=64m'),
    async [Symbol.asyncDispose]() {
      // Also where a test has failed and left a file open.
      execFileSync('umount', ['-l', folder]);
      await rm(folder, { recursive: true });
    },
  };
}
