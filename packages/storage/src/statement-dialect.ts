import type {
  CompiledQuery,
  DatabaseConnection,
  DatabaseIntrospector,
  Dialect,
  DialectAdapter,
  Driver,
  Kysely,
  QueryCompiler,
  QueryResult,
} from 'kysely';
import type { AnyTables } from './schema.ts';
import { StorageFault } from './storage-fault.ts';
import type { ExecuteStatement } from './store-engine.ts';

/** How Kysely speaks to one engine: three of its own parts. */
export interface DialectParts {
  adapter(): DialectAdapter;
  compiler(): QueryCompiler;
  introspector(database: Kysely<AnyTables>): DatabaseIntrospector;
}

/**
 * A Kysely dialect whose statements go through a function: to a worker thread, a connection or a simulated
 * disk.
 */
export function statementDialect(parts: DialectParts, execute: ExecuteStatement): Dialect {
  return {
    createAdapter: () => parts.adapter(),
    createQueryCompiler: () => parts.compiler(),
    createIntrospector: (database) => parts.introspector(database),
    createDriver: () => new StatementDriver(execute),
  };
}

class StatementDriver implements Driver {
  readonly #connection: DatabaseConnection;

  constructor(execute: ExecuteStatement) {
    this.#connection = {
      async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
        const { rows, changedRows } = await execute(sql, parameters);
        return { rows: rows as R[], numAffectedRows: BigInt(changedRows) }; // R is the builder's
      },
      streamQuery: () => {
        throw new StorageFault('storage-rejected', 'streaming is not supported; page by key instead');
      },
    };
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    return this.#connection;
  }

  /** Writes go through `submit`, and a migration already runs in its own transaction. */
  async beginTransaction(): Promise<void> {
    throw new StorageFault('storage-rejected', 'transactions are opened by the store only');
  }

  async commitTransaction(): Promise<void> {}
  async rollbackTransaction(): Promise<void> {}
  async releaseConnection(): Promise<void> {}
  async destroy(): Promise<void> {}
}
