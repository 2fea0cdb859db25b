import { assert, errorCode, errorMessage, type Clock, type Logger } from '@clawbernetes/kernel';
import { access, constants, mkdir, open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { toStorageError } from '../errors.ts';
import { RowStore } from '../row-store.ts';
import type { Schema } from '../schema.ts';
import { StorageFault, type StorageErrorCode } from '../storage-fault.ts';
import { storeLimits, type Store, type StoreLimits } from '../store.ts';
import { prepareSqlite, SQLITE_DIALECT } from './prepare-sqlite.ts';
import { SqliteEngine } from './sqlite-engine.ts';
import { WorkerSqliteSession } from './worker-sqlite-session.ts';

export interface SqliteStoreDeps {
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface SqliteStoreOptions extends Partial<StoreLimits> {
  /**
   * The file; it and its folder are made if missing, for this user only. Never open it by other means
   * meanwhile.
   */
  readonly path: string;
  readonly schema: Schema;
  /** Files up to this size are read through for damage at opening, bytes. */
  readonly maxCheckedBytes?: number;
  /**
   * Page size of a new file, bytes, a power of two from 512 to 65,536; one that exists keeps its own. For
   * blobs of many KiB 16,384 is twice as fast as the default of 4096.
   */
  readonly pageBytes?: number;
}

/** Reading 130 MB through takes a second, which whoever waits for a gateway to be back would wait longer. */
const DEFAULT_MAX_CHECKED_BYTES = 32 * 2 ** 20;
const DEFAULT_PAGE_BYTES = 4096;
const PAGE_SIZES: readonly number[] = [512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536];

/**
 * Opens the file for writing, alone: WAL, every commit synced. @throws CodedError `storage-in-use`,
 * `storage-corrupt`, `storage-newer`, `storage-read-only`, `storage-full`, `storage-unavailable`,
 * `storage-failed`.
 */
export async function openSqliteStore(deps: SqliteStoreDeps, options: SqliteStoreOptions): Promise<Store> {
  const path = resolve(options.path);
  try {
    await createFile(path);
    return await openSession(deps, { ...options, path });
  } catch (error) {
    throw toStorageError(await explained(error, path), path);
  }
}

async function openSession({ clock, logger }: SqliteStoreDeps, options: SqliteStoreOptions): Promise<Store> {
  const {
    path,
    schema,
    maxCheckedBytes = DEFAULT_MAX_CHECKED_BYTES,
    pageBytes = DEFAULT_PAGE_BYTES,
    ...rest
  } = options;
  assert(PAGE_SIZES.includes(pageBytes), 'a page is a power of two from 512 to 65,536 bytes');
  const limits = storeLimits(rest);
  const { maxQueryRows, maxQueryBytes } = limits;
  const session = await WorkerSqliteSession.open(path, {
    maxQueryRows,
    maxQueryBytes,
    maxCheckedBytes,
    pageBytes,
  });
  try {
    const { term, encoder } = await prepareSqlite({ session, clock, logger }, schema);
    const engine = new SqliteEngine(session);
    return new RowStore({ engine, encoder, dialect: SQLITE_DIALECT, logger }, { name: path, term, limits });
  } catch (error) {
    await session.close();
    throw error;
  }
}

/**
 * Only ever creates. Opening and closing a file that this process has locked through SQLite would drop the
 * lock (POSIX advisory locks belong to the process, not to the descriptor).
 */
async function createFile(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  try {
    await (await open(path, 'wx', 0o600)).close();
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
  }
}

const SYSTEM_CODES: Readonly<Record<string, StorageErrorCode>> = {
  EACCES: 'storage-read-only',
  EPERM: 'storage-read-only',
  EROFS: 'storage-read-only',
  ENOSPC: 'storage-full',
  EDQUOT: 'storage-full',
};

/** SQLite says "unable to open" for want of permission too. */
async function explained(error: unknown, path: string): Promise<unknown> {
  if (!(error instanceof StorageFault)) {
    return new StorageFault(
      SYSTEM_CODES[errorCode(error) ?? ''] ?? 'storage-unavailable',
      errorMessage(error),
      {
        cause: error,
      },
    );
  }
  if (error.code !== 'storage-unavailable' || (await isWritable(path))) return error;
  return new StorageFault('storage-read-only', error.detail, { cause: error });
}

async function isWritable(path: string): Promise<boolean> {
  try {
    await access(path, constants.R_OK | constants.W_OK);
    await access(dirname(path), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
