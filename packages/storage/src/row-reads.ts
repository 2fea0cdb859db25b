import { Kysely } from 'kysely';
import { toStorageError, type StorageError } from './errors.ts';
import { MAX_KEY, MIN_KEY, pages, type PageRequest, type RowRange } from './row-scan.ts';
import type { AnyTables } from './schema.ts';
import { statementDialect, type DialectParts } from './statement-dialect.ts';
import { StorageFault } from './storage-fault.ts';
import type { StoreEngine } from './store-engine.ts';
import type { RowReader, ScannedRow, ScanOptions, StoreLimits } from './store.ts';
import type { TableLayout } from './table-layout.ts';

export interface RowReadsDeps {
  readonly engine: Pick<StoreEngine, 'query' | 'readPage'>;
  readonly dialect: DialectParts;
  /** @throws StorageFault `storage-rejected`. */
  readonly layout: (table: string) => TableLayout;
}

/** The reading half of a store: all that another thread gets of it. */
export class RowReads implements RowReader {
  readonly rows: Kysely<AnyTables>;
  readonly #deps: RowReadsDeps;
  readonly #name: string;
  readonly #limits: StoreLimits;
  #queries = 0;
  #isClosed = false;

  constructor(deps: RowReadsDeps, { name, limits }: { readonly name: string; readonly limits: StoreLimits }) {
    this.#deps = deps;
    this.#name = name;
    this.#limits = limits;
    const { dialect, engine } = deps;
    this.rows = new Kysely({
      dialect: statementDialect(dialect, (sql, values) => this.#read(() => engine.query(sql, values))),
    });
  }

  async *scan(range: RowRange, options: ScanOptions = {}): AsyncGenerator<readonly ScannedRow[]> {
    const request = this.#pageRequest(range);
    yield* pages((page) => this.#read(() => this.#deps.engine.readPage(page)), request, options);
  }

  /** From now on every read is refused. */
  close(): void {
    this.#isClosed = true;
  }

  #pageRequest({ table, from = MIN_KEY, through = MAX_KEY }: RowRange): PageRequest {
    try {
      const { key, columns } = this.#deps.layout(table);
      const [column, ...others] = key.map((name) => columns.get(name));
      if (column?.kind !== 'integer' || others.length > 0) {
        throw new StorageFault('storage-rejected', `the key of ${table} is not one integer column`);
      }
      const { maxPageRows: maxRows, maxPageBytes: maxBytes } = this.#limits;
      const plain = [...columns.values()].map(({ name, kind }) => ({ name, kind }));
      return { table, key: column.name, columns: plain, from, through, maxRows, maxBytes };
    } catch (error) {
      throw this.#named(error);
    }
  }

  async #read<T>(read: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw this.#named(new StorageFault('storage-failed', 'it is closed'));
    if (this.#queries >= this.#limits.maxQueuedQueries) {
      throw this.#named(new StorageFault('storage-overloaded', `${this.#queries} queries waiting`));
    }
    this.#queries += 1;
    try {
      return await read();
    } catch (error) {
      throw this.#named(error);
    } finally {
      this.#queries -= 1;
    }
  }

  #named(error: unknown): StorageError {
    return toStorageError(error, this.#name);
  }
}
