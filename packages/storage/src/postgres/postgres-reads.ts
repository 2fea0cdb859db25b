import { PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely';
import { AnswerLimit, type AnswerLimits } from '../answer-limit.ts';
import { quote } from '../quote.ts';
import type { PageRequest } from '../row-scan.ts';
import type { DialectParts } from '../statement-dialect.ts';
import type { StorageFault } from '../storage-fault.ts';
import type { QueryRow, StatementResult } from '../store-engine.ts';
import { CopyReader, copyStatement } from './copy-out.ts';
import { PostgresConnection } from './postgres-connection.ts';

export const POSTGRES_DIALECT: DialectParts = {
  adapter: () => new PostgresAdapter(),
  compiler: () => new PostgresQueryCompiler(),
  introspector: (database) => new PostgresIntrospector(database),
};

/** How to connect for reading: plain data, with a password in the URL. */
export interface PostgresReaderSource {
  readonly url: string;
  /** Schema of the tables; absent: the first of the user's search path. */
  readonly namespace?: string;
  readonly connectTimeoutMs: number;
  /** Longest query. */
  readonly queryTimeoutMs: number;
}

/** A connection that the server lets read only. */
export class PostgresReads {
  readonly #connection: PostgresConnection;
  readonly #limits: AnswerLimits;

  private constructor(connection: PostgresConnection, limits: AnswerLimits) {
    this.#connection = connection;
    this.#limits = limits;
  }

  /** @throws StorageFault. */
  static async open(source: PostgresReaderSource, limits: AnswerLimits): Promise<PostgresReads> {
    const { url, namespace, connectTimeoutMs, queryTimeoutMs } = source;
    const settings = {
      default_transaction_read_only: 'on',
      statement_timeout: `${queryTimeoutMs}ms`,
      ...(namespace !== undefined && { search_path: quote(namespace) }),
    };
    const applicationName = 'clawbernetes-reader';
    const connection = await PostgresConnection.open({ url, applicationName, connectTimeoutMs, settings });
    return new PostgresReads(connection, limits);
  }

  readonly query = async (sql: string, parameters: readonly unknown[]): Promise<StatementResult> => {
    const result = await this.#connection.execute(sql, parameters);
    const limit = new AnswerLimit(this.#limits);
    for (const row of result.rows) limit.count(row);
    return result;
  };

  readonly readPage = async (request: PageRequest): Promise<QueryRow[]> => {
    const reader = new CopyReader(request.columns);
    await this.#connection.copyOut(copyStatement(request), (chunk) => reader.read(chunk));
    return reader.rows;
  };

  onFault(listener: (fault: StorageFault) => void): void {
    this.#connection.onFault(listener);
  }

  /** Drops the connection at once. */
  destroy(fault: StorageFault): void {
    this.#connection.destroy(fault);
  }

  close(): Promise<void> {
    return this.#connection.close();
  }
}
