import { silentLogger, type Clock, type Logger } from '@clawbernetes/kernel';
import { toStorageError } from '../errors.ts';
import { RowStore } from '../row-store.ts';
import type { Schema } from '../schema.ts';
import { prepareSqlite, SQLITE_DIALECT } from '../sqlite/prepare-sqlite.ts';
import { SqliteEngine } from '../sqlite/sqlite-engine.ts';
import { storeLimits, type Store, type StoreLimits } from '../store.ts';
import type { MemoryDisk } from './memory-disk.ts';
import { MemorySqliteSession } from './memory-sqlite-session.ts';

export interface MemoryStoreDeps {
  readonly clock: Clock;
  readonly logger?: Logger;
}

export interface MemoryStoreOptions extends Partial<StoreLimits> {
  readonly schema: Schema;
}

const NAME = 'the simulated disk';

/** Opens a simulated disk for writing, alone. @throws CodedError as the real ones do. */
export async function openMemoryStore(
  { clock, logger = silentLogger }: MemoryStoreDeps,
  disk: MemoryDisk,
  { schema, ...rest }: MemoryStoreOptions,
): Promise<Store> {
  const { SqliteDatabase } = await import('../sqlite/sqlite-database.ts'); // loads the native addon
  const limits = storeLimits(rest);
  try {
    const session = new MemorySqliteSession(
      disk,
      () => new SqliteDatabase(':memory:', { maxCheckedBytes: 0, pageBytes: 4096 }),
      limits,
    );
    try {
      const { term, encoder } = await prepareSqlite({ session, clock, logger }, schema);
      const engine = new SqliteEngine(session);
      return new RowStore({ engine, encoder, dialect: SQLITE_DIALECT, logger }, { name: NAME, term, limits });
    } catch (error) {
      await session.close();
      throw error;
    }
  } catch (error) {
    throw toStorageError(error, NAME);
  }
}
