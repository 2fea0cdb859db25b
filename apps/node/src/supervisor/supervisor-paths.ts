import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { supervisorError } from './supervisor-error.ts';

/** A Unix socket's path fits into 108 bytes, its closing zero included (unix(7)); macOS has 104. */
const MAX_SOCKET_PATH_BYTES = 103;

export interface SupervisorPaths {
  readonly folder: string;
  readonly lock: string;
  readonly journal: string;
  readonly log: string;
  readonly output: string;
}

export function supervisorPaths(stateFolder: string): SupervisorPaths {
  const folder = resolve(stateFolder);
  return {
    folder,
    lock: join(folder, 'supervisor.lock'),
    journal: join(folder, 'supervisor.journal'),
    log: join(folder, 'supervisor.log'),
    output: join(folder, 'output'),
  };
}

/**
 * Where a new supervisor listens: in the state folder, or, where that path is too long for a socket, in a
 * private folder of this user under `runFolder`. Clients find it by the lock file. The folders are made.
 */
export function placeSocket(folder: string, folderId: string, runFolder: string = tmpdir()): string {
  const plain = join(folder, 'supervisor.sock');
  if (Buffer.byteLength(plain) <= MAX_SOCKET_PATH_BYTES) return plain;
  const user = process.getuid?.() ?? 'user';
  const short = join(runFolder, `clawbernetes-${user}`);
  makePrivateFolder(short);
  return join(short, `${folderId}.sock`);
}

/**
 * Makes a folder that only its owner may enter. @throws CodedError `supervisor-unavailable` if another user
 * holds it.
 */
export function makePrivateFolder(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const { uid, mode } = lstatSync(path);
  if (!lstatSync(path).isDirectory() || uid !== (process.geteuid?.() ?? uid)) {
    throw supervisorError(
      'supervisor-unavailable',
      `${path} belongs to another user; choose another state folder.`,
    );
  }
  if ((mode & 0o077) !== 0) chmodSync(path, 0o700);
}
