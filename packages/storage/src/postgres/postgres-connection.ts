import { errorMessage } from '@clawbernetes/kernel';
import type pg from 'pg';
import type { Client, Query } from 'pg';
import { StorageFault } from '../storage-fault.ts';
import type { QueryRow, StatementResult } from '../store-engine.ts';
import { bindMessage } from './bind-message.ts';
import { BinaryParameter } from './binary-parameter.ts';
import { postgresFault } from './postgres-fault.ts';
import { postgresTypes } from './postgres-types.ts';

export interface PostgresConnectionOptions {
  readonly url: string;
  /** Shown in pg_stat_activity. */
  readonly applicationName: string;
  /** Session settings, such as `lock_timeout`. */
  readonly settings: Readonly<Record<string, string>>;
  readonly connectTimeoutMs: number;
}

export interface PostgresStatement {
  readonly text: string;
  /** Prepared once per connection under this name. */
  readonly name?: string;
  readonly values?: readonly unknown[];
}

export interface CommandResult extends StatementResult {
  /** Such as `COMMIT`, or `ROLLBACK` where a commit was asked of a failed transaction. */
  readonly command: string;
}

/** pg calls this for each message of a COPY to us; its types do not say so. */
interface CopyQuery extends Query {
  handleCopyData?: (message: { readonly chunk: Buffer }) => void;
}

/** One pipelined connection: statements sent in one tick travel together and run in order. */
export class PostgresConnection {
  readonly #pg: typeof pg;
  readonly #client: Client;
  #listener: ((fault: StorageFault) => void) | undefined;
  #fault: StorageFault | undefined;

  private constructor(library: typeof pg, client: Client) {
    this.#pg = library;
    this.#client = client;
    sendBlobsUncopied(client);
    client.on('error', (error) => this.#lose(postgresFault(error)));
    client.on('end', () => this.#lose(new StorageFault('storage-unavailable', 'the connection ended')));
  }

  /** @throws StorageFault. */
  static async open(options: PostgresConnectionOptions): Promise<PostgresConnection> {
    const { default: library } = await import('pg'); // only those who use PostgreSQL load it
    const client = new library.Client({
      connectionString: options.url,
      application_name: options.applicationName,
      connectionTimeoutMillis: options.connectTimeoutMs,
      keepAlive: true,
      pipeline: true,
      types: postgresTypes,
    });
    const connection = new PostgresConnection(library, client);
    try {
      await client.connect();
      for (const [name, value] of Object.entries(options.settings)) {
        await connection.run({ text: 'select set_config($1, $2, false)', values: [name, value] });
      }
      return connection;
    } catch (error) {
      connection.destroy(postgresFault(error));
      throw postgresFault(error);
    }
  }

  readonly execute = (sql: string, parameters: readonly unknown[]): Promise<CommandResult> =>
    this.run({ text: sql, values: parameters });

  async run({ text, name, values = [] }: PostgresStatement): Promise<CommandResult> {
    if (this.#fault) throw this.#fault;
    const config = { text, values: [...values], ...(name === undefined ? {} : { name }) };
    try {
      const { rows, rowCount, command } = await this.#client.query<QueryRow>(config);
      return { rows, changedRows: rowCount ?? 0, command };
    } catch (error) {
      throw postgresFault(error);
    }
  }

  /** Runs a COPY to us. What `take` throws fails the copy. */
  async copyOut(text: string, take: (chunk: Buffer) => void): Promise<void> {
    if (this.#fault) throw this.#fault;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const query: CopyQuery = new this.#pg.Query({ text }, (error) => (error ? reject(error) : resolve()));
    query.handleCopyData = ({ chunk }) => {
      try {
        take(chunk);
      } catch (error) {
        reject(new StorageFault('storage-failed', errorMessage(error), { cause: error }));
      }
    };
    this.#client.query(query);
    try {
      await promise;
    } catch (error) {
      throw postgresFault(error);
    }
  }

  onFault(listener: (fault: StorageFault) => void): void {
    this.#listener = listener;
    if (this.#fault) listener(this.#fault);
  }

  /** Drops the connection at once: whatever is under way on it fails. */
  destroy(fault: StorageFault): void {
    this.#lose(fault);
    this.#client.connection.stream.destroy();
  }

  async close(): Promise<void> {
    this.#listener = undefined;
    if (this.#fault) return;
    this.#fault = new StorageFault('storage-failed', 'it is closed');
    await this.#client.end();
  }

  #lose(fault: StorageFault): void {
    if (this.#fault) return;
    this.#fault = fault;
    this.#listener?.(fault);
  }
}

/** Statements with blobs are bound by us, the others by pg; both within the same corked writes. */
function sendBlobsUncopied({ connection }: Client): void {
  const bind = connection.bind.bind(connection);
  connection.bind = (config, more) => {
    if (!config?.values?.some((value) => value instanceof BinaryParameter)) return bind(config, more);
    if (!connection.stream.writable) return; // as pg does: its end is reported elsewhere
    for (const part of bindMessage(config)) connection.stream.write(part);
  };
}
