import type { AnswerLimits } from '../answer-limit.ts';
import type { PageRequest } from '../row-scan.ts';
import type { GroupOutcome } from '../row-shape.ts';
import { StorageFault } from '../storage-fault.ts';
import type { QueryRow, StatementResult } from '../store-engine.ts';
import type { SqliteDatabase } from '../sqlite/sqlite-database.ts';
import type { SqliteGroup } from '../sqlite/sqlite-group.ts';
import type { SqliteSession } from '../sqlite/sqlite-session.ts';
import type { MemoryDisk } from './memory-disk.ts';

/** One owner's hold of a simulated disk, until it closes or crashes. */
export class MemorySqliteSession implements SqliteSession {
  readonly #limits: AnswerLimits;
  readonly #disk: MemoryDisk;
  readonly #database: SqliteDatabase;
  #listener: ((fault: StorageFault) => void) | undefined;
  #fault: StorageFault | undefined;

  constructor(disk: MemoryDisk, open: () => SqliteDatabase, limits: AnswerLimits) {
    this.#limits = limits;
    this.#disk = disk;
    this.#database = disk.attach(open, this.#lost);
  }

  readonly execute = async (sql: string, parameters: readonly unknown[]): Promise<StatementResult> =>
    this.#held().execute(sql, parameters);

  readonly query = async (sql: string, parameters: readonly unknown[]): Promise<StatementResult> =>
    this.#held().query(sql, parameters, this.#limits);

  readonly readPage = async (request: PageRequest): Promise<QueryRow[]> => this.#held().readPage(request);

  async commit(group: SqliteGroup): Promise<GroupOutcome> {
    this.#held();
    return this.#disk.commit(group);
  }

  onFault(listener: (fault: StorageFault) => void): void {
    this.#listener = listener;
    if (this.#fault) listener(this.#fault);
  }

  async close(): Promise<void> {
    this.#disk.detach(this.#lost);
    this.#fault ??= new StorageFault('storage-failed', 'it is closed');
  }

  readonly #lost = (fault: StorageFault): void => {
    this.#fault = fault;
    this.#listener?.(fault);
  };

  #held(): SqliteDatabase {
    if (this.#fault) throw this.#fault;
    return this.#database;
  }
}
