import { chmodSync, chownSync, lstatSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CodedError } from '@clawbernetes/kernel';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Files that live as long as the attempt. */
export interface AttemptFolder {
  readonly path: string;
  /** Its private working directory. */
  readonly work: string;
  /** Its /tmp. */
  readonly tmp: string;
}

/** Unused folders that are kept. */
const MAX_SPARE = 128;
const WORK_MODE = 0o700;
const TMP_MODE = 0o1777;

/**
 * Folders for attempts. Most attempts leave theirs empty; it then serves the next one, because making and
 * removing folders waits for the file system's journal, and with it for everybody who syncs to that disk.
 */
export class AttemptFolders {
  readonly #root: string;
  readonly #owner: Owner;
  #spare: AttemptFolder[] = [];
  #made = 0;

  private constructor(root: string, owner: Owner) {
    this.#root = root;
    this.#owner = owner;
  }

  /** Empties `root`, which is ours: attempts of an earlier run lost their folder with their supervisor. */
  static async open(root: string, owner: Owner | undefined): Promise<AttemptFolders> {
    makePassable(root);
    if (owner !== undefined) checkReachable(root, owner);
    for (const name of await readdir(root)) await rm(`${root}/${name}`, { recursive: true, force: true });
    const self = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
    return new AttemptFolders(root, owner ?? self);
  }

  take(): AttemptFolder {
    return this.#spare.pop() ?? this.#make();
  }

  #make(): AttemptFolder {
    this.#made += 1;
    const path = `${this.#root}/${this.#made}`;
    const folder = { path, work: `${path}/work`, tmp: `${path}/tmp` };
    mkdirSync(path, { mode: 0o711 });
    mkdirSync(folder.work, { mode: WORK_MODE });
    chownSync(folder.work, this.#owner.uid, this.#owner.gid);
    mkdirSync(folder.tmp);
    // Not by mkdir's mode: the umask would take from it.
    chmodSync(folder.tmp, TMP_MODE);
    return folder;
  }

  async giveBack(folder: AttemptFolder): Promise<void> {
    if (this.#spare.length < MAX_SPARE && this.#isAsNew(folder)) this.#spare.push(folder);
    else await rm(folder.path, { recursive: true, force: true, maxRetries: 3 });
  }

  /** Empty, and with the permissions that we gave it: a workload may change its own folder's. */
  #isAsNew({ work, tmp }: AttemptFolder): boolean {
    const { mode, uid, gid } = statSync(work);
    return (
      (mode & 0o7777) === WORK_MODE &&
      uid === this.#owner.uid &&
      gid === this.#owner.gid &&
      (statSync(tmp).mode & 0o7777) === TMP_MODE &&
      readdirSync(work).length === 0 &&
      readdirSync(tmp).length === 0
    );
  }

  async close(): Promise<void> {
    await rm(this.#root, { recursive: true, force: true });
  }
}

/**
 * 0711: a workload that runs as somebody else passes through, but does not list.
 * @throws CodedError `scratch-not-ours`: whoever owns the folder could put others in the place of ours.
 */
function makePassable(root: string): void {
  const first = mkdirSync(root, { recursive: true });
  // Not by mkdir's mode: the umask would take from it.
  if (first !== undefined) for (const path of foldersBetween(first, root)) chmodSync(path, 0o711);
  for (const path of [dirname(root), root]) {
    const { uid } = lstatSync(path);
    if (lstatSync(path).isDirectory() && uid === (process.getuid?.() ?? uid)) continue;
    throw new CodedError(
      `${path} belongs to user ${uid} and cannot hold the files of workloads. Remove it, or choose another scratch folder.`,
      { code: 'scratch-not-ours' },
    );
  }
}

/** `last` and the folders above it, up to `first`. */
function foldersBetween(first: string, last: string): readonly string[] {
  return last === first || last === dirname(last) ? [last] : [last, ...foldersBetween(first, dirname(last))];
}

/**
 * @throws CodedError `scratch-not-reachable`: a folder above ours lets nobody through, and sandboxes start
 * from there.
 */
function checkReachable(root: string, { uid, gid }: Owner): void {
  for (let path = root; ; path = dirname(path)) {
    const stat = statSync(path);
    const bit = stat.uid === uid ? 0o100 : stat.gid === gid ? 0o010 : 0o001;
    if ((stat.mode & bit) === 0) {
      throw new CodedError(
        `User ${uid}, as whom workloads run, cannot pass ${path} on the way to their files in ${root}. ` +
          `Run "chmod o+x ${path}", or choose another scratch folder.`,
        { code: 'scratch-not-reachable' },
      );
    }
    if (path === dirname(path)) return;
  }
}
