import type { Clock, Logger } from '@clawbernetes/kernel';
import { Kysely, sql, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely';
import { createMigrationTable, migrate, pendingMigrations } from '../migrate.ts';
import { RowEncoder } from '../row-encoder.ts';
import type { AnyTables, Schema, TableDefinition } from '../schema.ts';
import { statementDialect, type DialectParts } from '../statement-dialect.ts';
import { StorageFault } from '../storage-fault.ts';
import { tableLayout, type DeclaredColumn, type TableLayout } from '../table-layout.ts';
import type { SqliteSession } from './sqlite-session.ts';

export const SQLITE_DIALECT: DialectParts = {
  adapter: () => new SqliteAdapter(),
  compiler: () => new SqliteQueryCompiler(),
  introspector: (database) => new SqliteIntrospector(database),
};

export interface PreparedDatabase {
  readonly term: number;
  readonly encoder: RowEncoder;
}

/** Brings an open database up to the schema and takes the next writer term. */
export async function prepareSqlite(
  {
    session,
    clock,
    logger,
  }: { readonly session: SqliteSession; readonly clock: Clock; readonly logger: Logger },
  schema: Schema,
): Promise<PreparedDatabase> {
  const database = new Kysely<AnyTables>({ dialect: statementDialect(SQLITE_DIALECT, session.execute) });
  const transaction = (work: () => Promise<void>): Promise<void> => inTransaction(session, work);
  await createMigrationTable(database);
  const pending = await pendingMigrations(database, schema);
  await migrate({ host: { database, transaction }, clock, logger }, pending);
  const layouts = await Promise.all(schema.tables.map((table) => readLayout(database, table)));
  return { term: await nextTerm(database, transaction), encoder: new RowEncoder(layouts) };
}

async function inTransaction(session: SqliteSession, work: () => Promise<void>): Promise<void> {
  await session.execute('begin immediate', []);
  try {
    await work();
    await session.execute('commit', []);
  } catch (error) {
    await session.execute('rollback', []).catch(() => undefined); // it may have rolled back by itself
    throw error;
  }
}

async function readLayout(database: Kysely<AnyTables>, table: TableDefinition): Promise<TableLayout> {
  const { rows } = await sql<DeclaredColumn>`select name, type from pragma_table_info(${table.name})`.execute(
    database,
  );
  return tableLayout(table, rows);
}

async function nextTerm(
  database: Kysely<AnyTables>,
  transaction: (work: () => Promise<void>) => Promise<void>,
): Promise<number> {
  let term = 0;
  await transaction(async () => {
    await sql`create table if not exists storage_writer
      (id bigint primary key, term bigint not null)`.execute(database);
    await sql`insert into storage_writer values (1, 0) on conflict do nothing`.execute(database);
    const raised = sql<{ term: number }>`update storage_writer set term = term + 1 returning term`;
    term = (await raised.execute(database)).rows[0]?.term ?? 0;
  });
  if (term < 1) throw new StorageFault('storage-corrupt', 'the writer term is lost');
  return term;
}
