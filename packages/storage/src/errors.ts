import { CodedError, errorMessage } from '@clawbernetes/kernel';
import { StorageFault, type FaultFacts, type StorageErrorCode } from './storage-fault.ts';

export interface StorageErrorFacts {
  readonly code: StorageErrorCode;
  /** Path of the file, or URL without its password. */
  readonly store: string;
  readonly detail: string;
}
export type StorageError = CodedError<StorageErrorFacts>;

const MESSAGES: Readonly<Record<StorageErrorCode, (store: string) => string>> = {
  'storage-in-use': (store) =>
    `Another process is writing to ${store}. Stop it, or use another data folder or database.`,
  'storage-corrupt': (store) =>
    `${store} is damaged or not one of our databases. It was left as it is: move it away, restore a backup.`,
  'storage-newer': (store) =>
    `${store} was written by a newer version. It was left as it is: run that version or restore a backup.`,
  'storage-read-only': (store) =>
    `${store} cannot be written. Check owner and permissions of the file and its folder, and the mount.`,
  'storage-full': (store) => `No space is left for ${store}. Free some space there.`,
  'storage-unavailable': (store) => `${store} cannot be reached. Check that it exists, runs and lets us in.`,
  'storage-fenced': (store) => `Another process took over writing to ${store}. This one must stop or reopen.`,
  'storage-overloaded': (store) => `Too much is waiting to be written to ${store}. Try again in a moment.`,
  'storage-rejected': (store) =>
    `${store} refused what it was asked. This is a defect of the program: report it.`,
  'storage-failed': (store) => `${store} can no longer be written. Reopen it; what was acknowledged is kept.`,
};

export function storageError({ code, detail }: FaultFacts, store: string, cause?: unknown): StorageError {
  const message = detail ? `${MESSAGES[code](store)} (${detail})` : MESSAGES[code](store);
  return new CodedError(message, { code, store, detail }, cause === undefined ? undefined : { cause });
}

/** Any thrown value as this package's error. */
export function toStorageError(error: unknown, store: string): StorageError {
  if (error instanceof StorageFault) return storageError(error, store, error.cause ?? error);
  if (error instanceof CodedError && 'store' in error.facts) return error as StorageError; // made above
  return storageError({ code: 'storage-failed', detail: errorMessage(error) }, store, error);
}
