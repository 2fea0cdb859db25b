import type { MessagePort } from 'node:worker_threads';
import type { GroupOutcome } from '../row-shape.ts';
import type { ReadPage } from '../row-scan.ts';
import type { ExecuteStatement } from '../store-engine.ts';
import type { StorageFault } from '../storage-fault.ts';
import type { SqliteGroup } from './sqlite-group.ts';

/** A SQLite database behind promises: in a worker thread, or in the simulator's memory. */
export interface SqliteSession {
  readonly execute: ExecuteStatement;
  readonly query: ExecuteStatement;
  readonly readPage: ReadPage;
  commit(group: SqliteGroup): Promise<GroupOutcome>;
  /** A port over which the worker answers reads of another thread; absent where there is no worker. */
  readonly share?: () => Promise<MessagePort>;
  onFault(listener: (fault: StorageFault) => void): void;
  close(): Promise<void>;
}
