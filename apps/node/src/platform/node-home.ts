import { chmod, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { errorCode, errorMessage, type Clock } from '@clawbernetes/kernel';
import { nodeError } from '../errors.ts';
import { releaseInstanceLock, takeInstanceLock } from '../supervisor/instance-lock.ts';

/**
 * Takes the node's folder for this process alone, until disposed of.
 * @throws CodedError `home-in-use` | `home-unusable`.
 */
export async function takeNodeHome(clock: Clock, folder: string): Promise<Disposable> {
  const lock = path.join(folder, 'clawnode.lock');
  const other = await lockFolder(clock, folder, lock);
  if (other !== undefined) {
    throw nodeError(
      'home-in-use',
      `A clawnode already runs on ${folder} (process ${other}). Stop it first, or give this one another --home.`,
    );
  }
  return { [Symbol.dispose]: () => releaseInstanceLock(lock) };
}

async function lockFolder(clock: Clock, folder: string, lock: string): Promise<number | undefined> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await chmod(folder, 0o700);
    return (await takeInstanceLock(clock, lock, ''))?.pid;
  } catch (cause) {
    const remedy = errorCode(cause) === 'ENOSPC' ? 'Free some space there' : 'Make it writable';
    throw nodeError(
      'home-unusable',
      `The folder ${folder} cannot be used: ${errorMessage(cause)}. ${remedy}, or choose another with --home.`,
      { cause },
    );
  }
}
