import type { MessagePort } from 'node:worker_threads';
import { toStorageError } from './errors.ts';
import { POSTGRES_DIALECT, PostgresReads, type PostgresReaderSource } from './postgres/postgres-reads.ts';
import { RowReads } from './row-reads.ts';
import { PortReads } from './sqlite/port-reads.ts';
import { SQLITE_DIALECT } from './sqlite/prepare-sqlite.ts';
import { StorageFault } from './storage-fault.ts';
import type { RowReader, StoreLimits } from './store.ts';
import type { TableLayout } from './table-layout.ts';
import type { DialectParts } from './statement-dialect.ts';
import type { StoreEngine } from './store-engine.ts';

/** A port to the thread that owns the file, or how to connect. */
export type EngineSource = { readonly port: MessagePort } | { readonly postgres: PostgresReaderSource };

/**
 * How another thread reads the rows of an open store: plain data, to be posted with `sourcePorts` and opened
 * there once. May hold a password: it is never logged.
 */
export interface RowSource {
  /** How messages name the store; no password in it. */
  readonly name: string;
  readonly limits: StoreLimits;
  readonly tables: readonly TableLayout[];
  readonly engine: EngineSource;
}

/** Rows that another thread writes. */
export interface OpenRows extends RowReader, AsyncDisposable {}

/**
 * The writer commits between two pages, and does not wait longer than for one of them, bytes. A row may be
 * longer.
 */
const PAGE_BYTES = 2 ** 20;

/** What moves with the message that carries it, and is of no more use to whoever sent it. */
export function sourcePorts({ engine }: RowSource): readonly MessagePort[] {
  return 'port' in engine ? [engine.port] : [];
}

/** @throws CodedError `storage-unavailable`; reads, `storage-failed` once the store is closed. */
export async function openRowSource({ name, limits, tables, engine }: RowSource): Promise<OpenRows> {
  const layouts = new Map(tables.map((table) => [table.name, table]));
  const layout = (table: string): TableLayout => {
    const found = layouts.get(table);
    if (found) return found;
    throw new StorageFault('storage-rejected', `the schema has no table ${table}`);
  };
  try {
    const { reads, dialect } = await openEngine(engine, limits);
    const maxPageBytes = Math.min(PAGE_BYTES, limits.maxPageBytes);
    const rows = new RowReads(
      { engine: reads, dialect, layout },
      { name, limits: { ...limits, maxPageBytes } },
    );
    return {
      rows: rows.rows,
      scan: (range, options) => rows.scan(range, options),
      async [Symbol.asyncDispose]() {
        rows.close();
        await reads.close();
      },
    };
  } catch (error) {
    throw toStorageError(error, name);
  }
}

interface OpenEngine {
  readonly reads: Pick<StoreEngine, 'query' | 'readPage' | 'close'>;
  readonly dialect: DialectParts;
}

async function openEngine(engine: EngineSource, limits: StoreLimits): Promise<OpenEngine> {
  if ('port' in engine) {
    return { reads: new PortReads(engine.port, limits), dialect: SQLITE_DIALECT };
  }
  return { reads: await PostgresReads.open(engine.postgres, limits), dialect: POSTGRES_DIALECT };
}
