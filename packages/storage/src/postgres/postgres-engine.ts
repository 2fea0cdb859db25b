import type { EncodedBatch, GroupOutcome, RowShape } from '../row-shape.ts';
import { StorageFault } from '../storage-fault.ts';
import type { ReadPage } from '../row-scan.ts';
import type { EngineSource } from '../row-source.ts';
import type { ExecuteStatement, StoreEngine } from '../store-engine.ts';
import { planGroup, type PlannedStatement } from './group-plan.ts';
import type { PostgresConnection, PostgresStatement } from './postgres-connection.ts';
import { postgresFault } from './postgres-fault.ts';
import type { PostgresReads, PostgresReaderSource } from './postgres-reads.ts';
import { arrayParameter, postgresStatement, rowParameter, type RowSource } from './postgres-statement.ts';
import type { WriterLease } from './writer-lease.ts';

export interface PostgresEngineDeps {
  readonly writer: PostgresConnection;
  readonly reader: PostgresReads;
  readonly lease: WriterLease;
  /** By which another thread connects for reading. */
  readonly source: PostgresReaderSource;
}

export class PostgresEngine implements StoreEngine {
  readonly query: ExecuteStatement;
  readonly readPage: ReadPage;
  readonly #deps: PostgresEngineDeps;
  readonly #texts = new Map<string, string>();
  #listener: ((fault: StorageFault) => void) | undefined;
  #fault: StorageFault | undefined;

  constructor(deps: PostgresEngineDeps) {
    this.#deps = deps;
    this.query = deps.reader.query;
    this.readPage = deps.reader.readPage;
    deps.writer.onFault((fault) => this.lose(fault));
    deps.reader.onFault((fault) => this.lose(fault));
  }

  /** All in one transaction, or, when something in it is refused, batch by batch up to what is refused. */
  async commit(group: readonly EncodedBatch[]): Promise<GroupOutcome> {
    const fault = await this.#transaction(group);
    if (!fault) return { committed: group.length };
    if (fault.code !== 'storage-rejected' || group.length === 0) return { committed: 0, fault };
    return this.#oneByOne(group);
  }

  async share(): Promise<EngineSource> {
    return { postgres: this.#deps.source };
  }

  onFault(listener: (fault: StorageFault) => void): void {
    this.#listener = listener;
    if (this.#fault) listener(this.#fault);
  }

  /** Ends both connections, so that nothing under way can hang. */
  lose(fault: StorageFault): void {
    if (this.#fault) return;
    this.#fault = fault;
    this.#deps.writer.destroy(fault);
    this.#deps.reader.destroy(fault);
    this.#listener?.(fault);
  }

  async close(): Promise<void> {
    this.#listener = undefined;
    // Without the release the next writer waits for the lease to run out: slower, not wrong.
    await this.#deps.lease.release().catch(() => undefined);
    await this.#deps.writer.close();
    await this.#deps.reader.close();
  }

  async #oneByOne(group: readonly EncodedBatch[]): Promise<GroupOutcome> {
    for (const [committed, batch] of group.entries()) {
      const fault = await this.#transaction([batch], 'in order');
      if (fault) return { committed, fault };
    }
    return { committed: group.length };
  }

  /** Sends the whole transaction at once; answers what was wrong with it. */
  async #transaction(group: readonly EncodedBatch[], order?: 'in order'): Promise<StorageFault | undefined> {
    const { writer, lease } = this.#deps;
    const plan = order ? group.flatMap(unplanned) : planGroup(group);
    const begun = writer.run({ text: 'begin' });
    const fenced = lease.check();
    const written = plan.flatMap((planned) => this.#statements(planned)).map((each) => writer.run(each));
    const ended = writer.run({ text: 'commit' });
    const results = await Promise.allSettled([begun, fenced, ...written, ended]);
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) return postgresFault(failed.reason);
    const { command } = await ended;
    return command === 'COMMIT'
      ? undefined
      : new StorageFault('storage-failed', `a commit ended as ${command}`);
  }

  /** One for all rows, or one for each where they are large: arrays of them would cost the server copies. */
  #statements({ shape, columns }: PlannedStatement): PostgresStatement[] {
    if (!hasLargeRows(columns)) {
      const values = columns.map((column, index) => arrayParameter(shape.kinds[index] ?? 'text', column));
      return [{ ...this.#prepared(shape, 'arrays'), values }];
    }
    const rows =
      columns[0]?.map((_, row) => columns.map((column) => rowParameter(column[row] ?? null))) ?? [];
    return rows.map((values) => ({ ...this.#prepared(shape, 'row'), values }));
  }

  #prepared(shape: RowShape, source: RowSource): { readonly name: string; readonly text: string } {
    const name = `change-${shape.id}-${source}`;
    let text = this.#texts.get(name);
    if (text === undefined) {
      text = postgresStatement(shape, source);
      this.#texts.set(name, text);
    }
    return { name, text };
  }
}

/** From here on a statement of its own is cheaper for a row than its part in arrays. */
const LARGE_ROW_BYTES = 8192;

function hasLargeRows(columns: PlannedStatement['columns']): boolean {
  let bytes = 0;
  for (const column of columns) {
    for (const value of column) bytes += value instanceof Uint8Array ? value.byteLength : 0;
  }
  return bytes >= LARGE_ROW_BYTES * (columns[0]?.length ?? 0);
}

/** A batch in its own order, a statement per change: for what only a constraint can tell apart. */
function unplanned({ shapes, values }: EncodedBatch): PlannedStatement[] {
  let at = 0;
  return shapes.map((shape) => {
    const row = values.slice(at, at + shape.columns.length);
    at += shape.columns.length;
    return { shape, columns: row.map((value) => [value]) };
  });
}
