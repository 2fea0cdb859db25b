import { mkdirSync, readFileSync, renameSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { errorCode, sleep, type Clock } from '@clawbernetes/kernel';
import { identityOf, isRunning, type ProcessIdentity } from './process-identity.ts';

/** The one supervisor of a state folder, as it wrote itself into the lock file. */
export interface Instance extends ProcessIdentity {
  readonly socketPath: string;
}

/**
 * Taking the lock takes well under a millisecond; a guard this old was left by a crash in the middle of it.
 */
const GUARD_STALE_MS = 5000;
const GUARD_POLL_MS = 10;

/** The running supervisor that holds the lock, if there is one. A reused pid does not count. */
export function readInstance(lockPath: string): Instance | undefined {
  try {
    // Only this module writes the file, by renaming a whole one into place.
    const instance = JSON.parse(readFileSync(lockPath, 'utf8')) as Instance;
    return isRunning(instance) ? instance : undefined;
  } catch {
    return undefined;
  }
}

/** Makes this process the one supervisor, or answers the one that is. */
export async function takeInstanceLock(
  clock: Clock,
  lockPath: string,
  socketPath: string,
): Promise<Instance | undefined> {
  const guard = `${lockPath}.guard`;
  while (!tryMakeFolder(guard)) {
    if (isOld(clock, guard)) removeFolder(guard);
    else await sleep(clock, GUARD_POLL_MS);
  }
  try {
    const other = readInstance(lockPath);
    if (other) return other;
    const own: Instance = { ...identityOf(process.pid), socketPath };
    writeFileSync(`${lockPath}.new`, JSON.stringify(own), { mode: 0o600 });
    renameSync(`${lockPath}.new`, lockPath);
    return undefined;
  } finally {
    removeFolder(guard);
  }
}

export function releaseInstanceLock(lockPath: string): void {
  if (readInstance(lockPath)?.pid === process.pid) rmSync(lockPath, { force: true });
}

function tryMakeFolder(path: string): boolean {
  try {
    mkdirSync(path, { mode: 0o700 });
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

function isOld(clock: Clock, path: string): boolean {
  const changedMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
  return changedMs !== undefined && Math.abs(clock.nowMs() - changedMs) > GUARD_STALE_MS;
}

function removeFolder(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}
