import { errorMessage, type Clock, type Logger } from '@clawbernetes/kernel';
import type { Kysely } from 'kysely';
import type { AnyTables, Migration, Schema } from './schema.ts';
import { StorageFault } from './storage-fault.ts';

/** How a migration reaches the engine while it is being opened. */
export interface MigrationHost {
  readonly database: Kysely<AnyTables>;
  /** Runs `work` in a transaction that only the present writer can commit. */
  transaction(work: () => Promise<void>): Promise<void>;
}

const TABLE = 'storage_migration';

/** Creates the list of migrations. Does nothing to a database that has one. */
export async function createMigrationTable(database: Kysely<AnyTables>): Promise<void> {
  await database.schema
    .createTable(TABLE)
    .ifNotExists()
    .addColumn('name', 'text', (column) => column.primaryKey().notNull())
    .addColumn('applied_at_ms', 'bigint', (column) => column.notNull())
    .execute();
}

/**
 * The migrations still to run, in order. @throws StorageFault `storage-newer`: one is recorded that we do
 * not know.
 */
export async function pendingMigrations(database: Kysely<AnyTables>, schema: Schema): Promise<Migration[]> {
  const recorded = await database.selectFrom(TABLE).select('name').orderBy('name').execute();
  const applied = new Set(recorded.map((row) => String(row['name'])));
  const known = new Set(schema.migrations.map(({ name }) => name));
  const unknown = [...applied].filter((name) => !known.has(name));
  if (unknown.length > 0)
    throw new StorageFault('storage-newer', `unknown migrations: ${unknown.join(', ')}`);
  const byName = (left: Migration, right: Migration): number => (left.name < right.name ? -1 : 1);
  return schema.migrations.filter(({ name }) => !applied.has(name)).toSorted(byName);
}

export async function migrate(
  { host, clock, logger }: { readonly host: MigrationHost; readonly clock: Clock; readonly logger: Logger },
  migrations: readonly Migration[],
): Promise<void> {
  for (const migration of migrations) {
    await host.transaction(async () => {
      await run(migration, host.database);
      const row = { name: migration.name, applied_at_ms: clock.nowMs() };
      await host.database.insertInto(TABLE).values(row).execute();
    });
    logger.info('Migration applied', { migration: migration.name });
  }
}

async function run(migration: Migration, database: Kysely<AnyTables>): Promise<void> {
  try {
    await migration.up(database);
  } catch (error) {
    const code = error instanceof StorageFault ? error.code : 'storage-failed';
    throw new StorageFault(code, `migration ${migration.name}: ${errorMessage(error)}`, { cause: error });
  }
}
