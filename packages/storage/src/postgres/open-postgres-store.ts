import { encodeBase32, type Clock, type Logger, type Random } from '@clawbernetes/kernel';
import { Kysely, sql } from 'kysely';
import { hostname } from 'node:os';
import { toStorageError } from '../errors.ts';
import { createMigrationTable, migrate, pendingMigrations, type MigrationHost } from '../migrate.ts';
import { quote } from '../quote.ts';
import { RowEncoder } from '../row-encoder.ts';
import { RowStore } from '../row-store.ts';
import type { AnyTables, Schema, TableDefinition } from '../schema.ts';
import { statementDialect } from '../statement-dialect.ts';
import { storeLimits, type Store, type StoreLimits } from '../store.ts';
import { tableLayout, type DeclaredColumn, type TableLayout } from '../table-layout.ts';
import { PostgresConnection } from './postgres-connection.ts';
import { PostgresEngine } from './postgres-engine.ts';
import { POSTGRES_DIALECT, PostgresReads } from './postgres-reads.ts';
import { WriterLease } from './writer-lease.ts';

export interface PostgresStoreDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface PostgresStoreOptions extends Partial<StoreLimits> {
  readonly url: string;
  readonly schema: Schema;
  /**
   * Schema of the database for the tables, made if missing; default: the first of the user's search path.
   * Stores in different ones share nothing, and each has a writer lease of its own.
   */
  readonly namespace?: string;
  /** A writer that is silent for this long may be replaced, by the database's clock. */
  readonly leaseMs?: number;
  /** How long opening waits for another writer's lease to run out; default: twice the lease. */
  readonly waitMs?: number;
  readonly connectTimeoutMs?: number;
  /** Longest query of `rows`. */
  readonly queryTimeoutMs?: number;
}

interface Durations {
  readonly leaseMs: number;
  readonly connectTimeoutMs: number;
  readonly queryTimeoutMs: number;
}
const DEFAULTS: Durations = { leaseMs: 10_000, connectTimeoutMs: 10_000, queryTimeoutMs: 60_000 };

/** Openers of one database take turns while they create the first tables: `CLAW` as an advisory lock key. */
const BOOTSTRAP_LOCK = 0x434c4157;

/**
 * Takes the writer lease of the database. @throws CodedError `storage-in-use`, `storage-newer`,
 * `storage-unavailable`, `storage-read-only`, `storage-full`, `storage-failed`.
 */
export async function openPostgresStore(
  deps: PostgresStoreDeps,
  options: PostgresStoreOptions,
): Promise<Store> {
  const name = withoutPassword(options.url);
  try {
    return await open(
      deps,
      { ...DEFAULTS, waitMs: 2 * (options.leaseMs ?? DEFAULTS.leaseMs), ...options },
      name,
    );
  } catch (error) {
    throw toStorageError(error, name);
  }
}

async function open(
  { clock, random, logger }: PostgresStoreDeps,
  options: PostgresStoreOptions & Durations & { readonly waitMs: number },
  name: string,
): Promise<Store> {
  const { schema, leaseMs, waitMs, namespace } = options;
  const limits = storeLimits(options);
  await using stack = new AsyncDisposableStack();
  const path = namespace === undefined ? {} : { search_path: quote(namespace) };
  const writer = await connect(stack, options, { ...writerSettings(leaseMs), ...path });
  const { url, connectTimeoutMs, queryTimeoutMs } = options;
  const source = { url, connectTimeoutMs, queryTimeoutMs, ...(namespace !== undefined && { namespace }) };
  const reader = await PostgresReads.open(source, limits);
  stack.defer(() => reader.close());
  const database = new Kysely<AnyTables>({ dialect: statementDialect(POSTGRES_DIALECT, writer.execute) });
  await bootstrap(writer, database, namespace);
  await pendingMigrations(database, schema); // refuses a newer database before anything is taken
  const lease = await WriterLease.take(
    { connection: writer, clock, random },
    { holder: holderName(random), leaseMs, waitMs },
  );
  const engine = new PostgresEngine({ writer, reader, lease, source });
  stack.defer(() => engine.close());
  lease.keep((fault) => engine.lose(fault));
  await warnOfLocale(database, logger);
  const host = migrationHost(writer, database, lease);
  await migrate({ host, clock, logger }, await pendingMigrations(database, schema));
  const layouts = await Promise.all(schema.tables.map((table) => readLayout(database, table)));
  await keepBlobsPlain(host, layouts);
  await findRowsByKey(writer);
  stack.move();
  const encoder = new RowEncoder(layouts);
  return new RowStore(
    { engine, encoder, dialect: POSTGRES_DIALECT, logger },
    { name, term: lease.term, limits },
  );
}

async function connect(
  stack: AsyncDisposableStack,
  { url, connectTimeoutMs }: { readonly url: string; readonly connectTimeoutMs: number },
  settings: Readonly<Record<string, string>>,
): Promise<PostgresConnection> {
  const applicationName = 'clawbernetes-writer';
  const connection = await PostgresConnection.open({ url, applicationName, connectTimeoutMs, settings });
  stack.defer(() => connection.close());
  return connection;
}

/** A writer that freezes inside a transaction holds the lease row; the server frees it after this. */
function writerSettings(leaseMs: number): Readonly<Record<string, string>> {
  const timeout = `${Math.max(1000, leaseMs)}ms`;
  return {
    idle_in_transaction_session_timeout: timeout,
    lock_timeout: timeout,
    client_min_messages: 'warning',
    work_mem: '64MB', // a group's rows while they are unnested; beyond, they would go through a file
  };
}

async function bootstrap(
  writer: PostgresConnection,
  database: Kysely<AnyTables>,
  namespace: string | undefined,
): Promise<void> {
  // A cluster may be set to acknowledge before it syncs; stronger settings than `on` stay.
  await writer.execute(
    `select set_config('synchronous_commit', 'on', false)
      where current_setting('synchronous_commit') = 'off'`,
    [],
  );
  await transaction(writer, async () => {
    await writer.execute('select pg_advisory_xact_lock($1)', [BOOTSTRAP_LOCK]);
    if (namespace !== undefined) await writer.execute(`create schema if not exists ${quote(namespace)}`, []);
    await createMigrationTable(database);
    await WriterLease.createTable(writer);
  });
}

function migrationHost(
  writer: PostgresConnection,
  database: Kysely<AnyTables>,
  lease: WriterLease,
): MigrationHost {
  return {
    database,
    transaction: (work) =>
      transaction(writer, async () => {
        await lease.check();
        await work();
      }),
  };
}

async function transaction(writer: PostgresConnection, work: () => Promise<void>): Promise<void> {
  await writer.execute('begin', []);
  try {
    await work();
    await writer.execute('commit', []);
  } catch (error) {
    await writer.execute('rollback', []).catch(() => undefined); // the connection may be gone
    throw error;
  }
}

async function readLayout(database: Kysely<AnyTables>, table: TableDefinition): Promise<TableLayout> {
  const columns = sql<DeclaredColumn>`select column_name as name, data_type as type
    from information_schema.columns where table_schema = current_schema() and table_name = ${table.name}
    order by ordinal_position`;
  return tableLayout(table, (await columns.execute(database)).rows);
}

/** Without PostgreSQL's compression, which takes longer than writing what is large and dense already. */
async function keepBlobsPlain(host: MigrationHost, layouts: readonly TableLayout[]): Promise<void> {
  const tables = layouts.map(({ name }) => name);
  if (tables.length === 0) return;
  const { rows } = await sql<{ table: string; column: string }>`
    select cls.relname as table, att.attname as column from pg_attribute att
    join pg_class cls on cls.oid = att.attrelid
    where cls.relnamespace = (select oid from pg_namespace where nspname = current_schema())
      and cls.relname in (${sql.join(tables)})
      and att.atttypid = 'bytea'::regtype and att.attstorage <> 'e' and not att.attisdropped`.execute(
    host.database,
  );
  if (rows.length === 0) return;
  await host.transaction(async () => {
    for (const { table, column } of rows) {
      const change = sql`alter table ${sql.table(table)} alter column ${sql.ref(column)} set storage external`;
      await change.execute(host.database);
    }
  });
}

/**
 * From here on the writer only finds rows by primary key, whatever a plan cached while a table was small
 * says.
 */
async function findRowsByKey(writer: PostgresConnection): Promise<void> {
  for (const setting of ['enable_seqscan', 'enable_hashjoin', 'enable_mergejoin']) {
    await writer.execute('select set_config($1, $2, false)', [setting, 'off']);
  }
}

async function warnOfLocale(database: Kysely<AnyTables>, logger: Logger): Promise<void> {
  const message = 'The database sorts text by a locale; create it with LC_COLLATE "C"';
  const query = sql<{ locale: string }>`select datcollate as locale from pg_database
    where datname = current_database()`;
  const locale = (await query.execute(database)).rows[0]?.locale ?? '';
  if (/^(C|POSIX)(\.|$)/.test(locale)) return;
  logger.warn(message, { locale });
}

function holderName(random: Random): string {
  return `${hostname()} pid ${process.pid} ${encodeBase32(random.bytes(5))}`;
}

function withoutPassword(url: string): string {
  return url.replace(/(\/\/[^:/@]*):[^@/]*@/, '$1@').replace(/\?.*$/, '');
}
