import { execFileSync } from 'node:child_process';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { errorCode } from '@clawbernetes/kernel';

/** A file system of its own that can be filled to the last byte and emptied again. */
export class SmallDisk implements AsyncDisposable {
  readonly folder: string;

  static async open(mib: number): Promise<SmallDisk> {
    const disk = new SmallDisk(await mkdtemp(path.join(tmpdir(), 'claw-disk-')));
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mib}m`, 'tmpfs', disk.folder]);
    return disk;
  }

  private constructor(folder: string) {
    this.folder = folder;
  }

  fill(): void {
    const file = openSync(this.#ballast, 'a');
    for (const size of [65_536, 1]) while (tryWrite(file, size));
    closeSync(file);
  }

  empty(): void {
    rmSync(this.#ballast);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    execFileSync('umount', [this.folder]);
    await rm(this.folder, { recursive: true });
  }

  get #ballast(): string {
    return path.join(this.folder, 'ballast');
  }
}

function tryWrite(file: number, size: number): boolean {
  try {
    return writeSync(file, Buffer.alloc(size)) > 0;
  } catch (error) {
    if (errorCode(error) === 'ENOSPC') return false;
    throw error;
  }
}
