import Database from 'better-sqlite3';
import { AnswerLimit, rowBytes, type AnswerLimits } from '../answer-limit.ts';
import { quote } from '../quote.ts';
import type { PageRequest } from '../row-scan.ts';
import type { GroupOutcome } from '../row-shape.ts';
import type { SqlValue } from '../row.ts';
import { StorageFault } from '../storage-fault.ts';
import type { QueryRow, StatementResult } from '../store-engine.ts';
import { sqliteFault } from './sqlite-fault.ts';
import type { SqliteGroup } from './sqlite-group.ts';
import { sqliteStatement } from './sqlite-statement.ts';

/** Marks a file as ours: "CLAW". */
const APPLICATION_ID = 0x434c4157;
/** A process that only looks whether the file is free holds it for less than this. */
const BUSY_TIMEOUT_MS = 100;
/** Query statements kept prepared; the least recently used goes. */
const MAX_PREPARED_QUERIES = 200;

/** A checkpoint of this much takes about as long as a commit of it; more would be felt as a pause. */
const CHECKPOINT_BYTES = 4 * 2 ** 20;

interface PreparedChange {
  readonly width: number;
  readonly update: Database.Statement | undefined;
  readonly write: Database.Statement;
}

interface Attempt {
  /** Batches committed. */
  readonly applied: number;
  /** Batches before the one that was refused, were they tried alone. */
  readonly refusedAt: number;
  readonly fault?: StorageFault;
}

export interface SqliteDatabaseOptions {
  /** Files larger than this are not read through for damage at opening, bytes. */
  readonly maxCheckedBytes: number;
  /** Page size of a new file. */
  readonly pageBytes: number;
}

/**
 * One SQLite file and its only connection. It keeps the file locked while open (exclusive locking mode),
 * which the kernel undoes when the process dies. Synchronous: it belongs in a worker thread or in a
 * simulator.
 */
export class SqliteDatabase {
  readonly #database: Database.Database;
  readonly #options: SqliteDatabaseOptions;
  readonly #changes: PreparedChange[] = [];
  #checkpointPages = 0;
  readonly #queries = new Map<string, Database.Statement>();

  /** @throws StorageFault. A file that is refused is left as it is. */
  constructor(path: string, options: SqliteDatabaseOptions) {
    this.#options = options;
    this.#database = guarded(() => new Database(path, { timeout: BUSY_TIMEOUT_MS }));
    try {
      guarded(() => this.#take());
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  /** Runs one statement of any kind: for opening and migrations. */
  execute(sql: string, parameters: readonly unknown[]): StatementResult {
    return guarded(() => {
      const statement = this.#database.prepare(sql).safeIntegers(true);
      const values = parameters.map(bindable);
      if (statement.reader) return { rows: statement.all(values).map(readRow), changedRows: 0 };
      return { rows: [], changedRows: statement.run(values).changes };
    });
  }

  /** Runs one statement that only reads. */
  query(sql: string, parameters: readonly unknown[], limits: AnswerLimits): StatementResult {
    return guarded(() => {
      const statement = this.#prepareQuery(sql);
      const rows: QueryRow[] = [];
      const limit = new AnswerLimit(limits);
      for (const row of statement.iterate(parameters.map(bindable))) {
        const read = readRow(row);
        limit.count(read);
        rows.push(read);
      }
      return { rows, changedRows: 0 };
    });
  }

  /** Reads rows in the order of an integer key until a limit is reached. */
  readPage({ table, key, columns, from, through, maxRows, maxBytes }: PageRequest): QueryRow[] {
    return guarded(() => {
      const names = columns.map(({ name }) => quote(name)).join(', ');
      const range = `${quote(key)} >= ? and ${quote(key)} <= ? order by ${quote(key)} limit ?`;
      const statement = this.#prepareQuery(`select ${names} from ${quote(table)} where ${range}`);
      const rows: QueryRow[] = [];
      let bytes = 0;
      for (const row of statement.iterate([from, through, maxRows].map(bindable))) {
        const read = readRow(row);
        rows.push(read);
        bytes += rowBytes(read);
        if (bytes >= maxBytes) break;
      }
      return rows;
    });
  }

  /** Commits all batches in one transaction, or, when one is refused, those before it. */
  commit(group: SqliteGroup): GroupOutcome {
    const all = this.#attempt(group, group.ends.length);
    if (!all.fault || all.refusedAt === 0) return outcome(all, 0);
    const before = this.#attempt(group, all.refusedAt);
    return before.fault ? outcome(before, 0) : outcome(all, all.refusedAt);
  }

  /**
   * Moves what the log holds into the file once that is worth its syncs, in steps that are short. A failure
   * does no harm: the log keeps everything, and the next commit says what is wrong.
   */
  checkpointWhenDue(): void {
    try {
      const [state] = this.#database.pragma('wal_checkpoint(NOOP)') as [
        { log: number; checkpointed: number },
      ];
      if (state.log - state.checkpointed >= this.#checkpointPages) {
        this.#database.pragma('wal_checkpoint(PASSIVE)');
      }
    } catch {
      // as said above
    }
  }

  /** Undoes a transaction whose owner is gone. */
  abandon(): void {
    if (this.#database.inTransaction) guarded(() => this.#database.exec('rollback'));
  }

  close(): void {
    guarded(() => this.#database.close());
  }

  #take(): void {
    const database = this.#database;
    database.pragma(`page_size = ${this.#options.pageBytes}`); // of a new file; an old one keeps its own
    database.pragma('locking_mode = EXCLUSIVE');
    this.#checkIdentity();
    this.#checkIntegrity();
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
    this.#checkpointPages = Math.ceil(CHECKPOINT_BYTES / this.#number('page_size'));
    database.pragma(`wal_autocheckpoint = ${4 * this.#checkpointPages}`); // should nobody do it before
    database.pragma('journal_size_limit = 67108864');
    database.pragma('cache_size = -8000'); // KiB
    database.pragma('temp_store = MEMORY');
    database.exec('begin immediate; commit'); // fails here, not later, if it cannot be written
    if (this.#number('application_id') === 0) database.pragma(`application_id = ${APPLICATION_ID}`);
  }

  #checkIdentity(): void {
    const id = this.#number('application_id');
    if (id === APPLICATION_ID) return;
    const tables = this.#database.prepare('select name from sqlite_master limit 1').all();
    if (id !== 0 || tables.length > 0) {
      throw new StorageFault('storage-corrupt', 'the file is a database of another program');
    }
  }

  #checkIntegrity(): void {
    const bytes = this.#number('page_count') * this.#number('page_size');
    if (bytes > this.#options.maxCheckedBytes) return;
    const found = String(this.#database.pragma('quick_check(1)', { simple: true }));
    if (found !== 'ok') throw new StorageFault('storage-corrupt', found);
  }

  #number(pragma: string): number {
    return Number(this.#database.pragma(pragma, { simple: true }));
  }

  /** One transaction of the first `batchCount` batches: all or nothing. */
  #attempt(group: SqliteGroup, batchCount: number): Attempt {
    let applied = 0;
    try {
      this.#prepareShapes(group);
      this.#database.exec('begin immediate');
      for (let change = 0, at = 0; applied < batchCount; applied += 1) {
        for (const end = group.ends[applied] ?? 0; change < end; change += 1) {
          at = this.#apply(group.shapeIds[change] ?? -1, group.values, at);
        }
      }
      this.#database.exec('commit');
      return { applied, refusedAt: applied };
    } catch (error) {
      // Some failures, a full disk among them, have rolled back already.
      if (this.#database.inTransaction) this.#database.exec('rollback');
      const fault = sqliteFault(error);
      return { applied: 0, refusedAt: fault.code === 'storage-rejected' ? applied : 0, fault };
    }
  }

  #prepareShapes({ newShapes }: SqliteGroup): void {
    for (const shape of newShapes) {
      const { update, write } = sqliteStatement(shape);
      this.#changes[shape.id] = {
        width: shape.columns.length,
        update: update === undefined ? undefined : this.#database.prepare(update),
        write: this.#database.prepare(write),
      };
    }
  }

  /** Applies one change whose values begin at `at`; answers where the next one's begin. */
  #apply(shapeId: number, values: readonly SqlValue[], at: number): number {
    const prepared = this.#changes[shapeId];
    if (!prepared) throw new StorageFault('storage-failed', `unknown shape ${shapeId}`);
    const end = at + prepared.width;
    const row: unknown[] = values.slice(at, end);
    for (let index = 0; index < row.length; index += 1) {
      if (typeof row[index] === 'object') row[index] = bindable(row[index]);
    }
    const isUpdated = prepared.update !== undefined && prepared.update.run(row).changes > 0;
    if (!isUpdated) prepared.write.run(row);
    return end;
  }

  #prepareQuery(sql: string): Database.Statement {
    let statement = this.#queries.get(sql);
    this.#queries.delete(sql);
    statement ??= this.#database.prepare(sql).safeIntegers(true);
    if (!statement.readonly || !statement.reader) {
      throw new StorageFault('storage-rejected', 'rows are read here; changes go through submit');
    }
    if (this.#queries.size >= MAX_PREPARED_QUERIES) {
      for (const oldest of this.#queries.keys()) {
        this.#queries.delete(oldest);
        break;
      }
    }
    this.#queries.set(sql, statement);
    return statement;
  }
}

function outcome({ applied, fault }: Attempt, committedBefore: number): GroupOutcome {
  if (!fault) return { committed: applied };
  return { committed: committedBefore, fault: { code: fault.code, detail: fault.detail } };
}

/** better-sqlite3 binds Node's Buffer only. */
function bindable(value: unknown): unknown {
  if (!(value instanceof Uint8Array) || Buffer.isBuffer(value)) return value;
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

function readRow(row: unknown): QueryRow {
  const read = row as QueryRow; // statements are not in raw or pluck mode
  for (const name in read) {
    const value = read[name];
    if (typeof value === 'bigint') read[name] = readInteger(value);
    else if (value instanceof Uint8Array) read[name] = readBlob(value);
  }
  return read;
}

/** better-sqlite3 gives each blob memory of its own. */
function readBlob(value: Uint8Array): Uint8Array {
  if (value.byteLength !== value.buffer.byteLength) return new Uint8Array(value);
  return new Uint8Array(value.buffer, 0, value.byteLength);
}

function readInteger(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function guarded<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw sqliteFault(error);
  }
}
