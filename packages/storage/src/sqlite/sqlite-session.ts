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
  onFault(listener: (fault: StorageFault) => void): void;
  close(): Promise<void>;
}
