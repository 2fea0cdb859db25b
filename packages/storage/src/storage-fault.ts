// No imports here: this file is loaded by the worker thread too, where only relative files resolve.

export const STORAGE_ERROR_CODES = [
  'storage-in-use',
  'storage-corrupt',
  'storage-newer',
  'storage-read-only',
  'storage-full',
  'storage-unavailable',
  'storage-fenced',
  'storage-overloaded',
  'storage-rejected',
  'storage-failed',
] as const;
export type StorageErrorCode = (typeof STORAGE_ERROR_CODES)[number];

/** What went wrong, in a form that crosses threads; `storageError` makes the message for people of it. */
export interface FaultFacts {
  readonly code: StorageErrorCode;
  readonly detail: string;
}

/** Thrown by engines; the store turns it into a CodedError that names the store. */
export class StorageFault extends Error implements FaultFacts {
  readonly code: StorageErrorCode;
  readonly detail: string;

  constructor(code: StorageErrorCode, detail: string, options?: ErrorOptions) {
    super(`${code}: ${detail}`, options);
    this.code = code;
    this.detail = detail;
  }
}
