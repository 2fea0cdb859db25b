import type { ReadPage } from './row-scan.ts';
import type { EncodedBatch, GroupOutcome } from './row-shape.ts';
import type { SqlValue } from './row.ts';
import type { EngineSource } from './row-source.ts';
import type { StorageFault } from './storage-fault.ts';

export type QueryRow = Record<string, SqlValue>;

export interface StatementResult {
  readonly rows: QueryRow[];
  readonly changedRows: number;
}

/** Runs one SQL statement. @throws StorageFault. */
export type ExecuteStatement = (sql: string, parameters: readonly unknown[]) => Promise<StatementResult>;

/** What differs between SQLite, PostgreSQL and the simulated disk once a store is open. */
export interface StoreEngine {
  /**
   * Commits the batches in order in one transaction where it can; always settles, and rejects only by a
   * fault.
   */
  commit(group: readonly EncodedBatch[]): Promise<GroupOutcome>;
  /** Runs one statement that only reads. */
  readonly query: ExecuteStatement;
  /** Reads one page of a range of rows. */
  readonly readPage: ReadPage;
  /** By which another thread reads beside this one. Absent where there is no other thread. */
  share?(): Promise<EngineSource>;
  /** Called at most once, when the engine finds out by itself that it is lost. */
  onFault(listener: (fault: StorageFault) => void): void;
  close(): Promise<void>;
}
