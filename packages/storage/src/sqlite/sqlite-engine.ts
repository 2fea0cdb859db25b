import type { EncodedBatch, GroupOutcome } from '../row-shape.ts';
import type { ReadPage } from '../row-scan.ts';
import type { EngineSource } from '../row-source.ts';
import type { StorageFault } from '../storage-fault.ts';
import type { ExecuteStatement, StoreEngine } from '../store-engine.ts';
import { SqliteGroupWriter } from './sqlite-group.ts';
import type { SqliteSession } from './sqlite-session.ts';

export class SqliteEngine implements StoreEngine {
  readonly query: ExecuteStatement;
  readonly readPage: ReadPage;
  readonly share?: () => Promise<EngineSource>;
  readonly #session: SqliteSession;
  readonly #writer = new SqliteGroupWriter();

  constructor(session: SqliteSession) {
    this.#session = session;
    this.query = session.query;
    this.readPage = session.readPage;
    const { share } = session;
    if (share) this.share = async () => ({ port: await share() });
  }

  commit(group: readonly EncodedBatch[]): Promise<GroupOutcome> {
    return this.#session.commit(this.#writer.write(group));
  }

  onFault(listener: (fault: StorageFault) => void): void {
    this.#session.onFault(listener);
  }

  close(): Promise<void> {
    return this.#session.close();
  }
}
