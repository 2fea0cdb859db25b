import { StorageFault, type StorageErrorCode } from '../storage-fault.ts';

/** By result code or the longest prefix of it (https://sqlite.org/rescode.html). */
const CODES: readonly (readonly [prefix: string, code: StorageErrorCode])[] = [
  ['SQLITE_BUSY', 'storage-in-use'],
  ['SQLITE_LOCKED', 'storage-in-use'],
  ['SQLITE_NOTADB', 'storage-corrupt'],
  ['SQLITE_CORRUPT', 'storage-corrupt'],
  ['SQLITE_READONLY', 'storage-read-only'],
  ['SQLITE_PERM', 'storage-read-only'],
  ['SQLITE_FULL', 'storage-full'],
  ['SQLITE_CANTOPEN', 'storage-unavailable'],
  ['SQLITE_IOERR', 'storage-unavailable'],
  ['SQLITE_NOMEM', 'storage-failed'],
];

/** Any other failure is of the statement itself: a constraint, a type, a mistake in the SQL. */
export function sqliteFault(error: unknown): StorageFault {
  if (error instanceof StorageFault) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const found = CODES.find(([prefix]) => code.startsWith(prefix));
  const detail = error instanceof Error ? error.message : String(error);
  return new StorageFault(found?.[1] ?? 'storage-rejected', code ? `${code}: ${detail}` : detail, {
    cause: error,
  });
}
