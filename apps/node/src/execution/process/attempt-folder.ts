import { chmodSync, chownSync, mkdirSync, rmdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { assert } from '@clawbernetes/kernel';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Files that live as long as the attempt: its private working directory and its /tmp. */
export class AttemptFolder {
  readonly path: string;
  readonly work: string;
  readonly tmp: string;

  constructor(scratch: string, attemptId: string) {
    assert(/^[a-z0-9][a-z0-9-]*$/.test(attemptId), 'an attempt id is a plain name');
    this.path = `${scratch}/${attemptId}`;
    this.work = `${this.path}/work`;
    this.tmp = `${this.path}/tmp`;
  }

  create(owner: Owner | undefined): void {
    // 0711: a workload that runs as somebody else passes through, but does not list.
    mkdirSync(this.path, { mode: 0o711 });
    mkdirSync(this.work, { mode: 0o700 });
    mkdirSync(this.tmp);
    chmodSync(this.tmp, 0o1777);
    if (owner !== undefined) chownSync(this.work, owner.uid, owner.gid);
  }

  /** Most attempts leave nothing behind, and removing three empty folders is then cheaper than a walk. */
  async remove(): Promise<void> {
    try {
      for (const folder of [this.work, this.tmp, this.path]) rmdirSync(folder);
    } catch {
      await rm(this.path, { recursive: true, force: true, maxRetries: 3 });
    }
  }
}
