import type { Logger } from '@clawbernetes/kernel';
import type { Kysely } from 'kysely';
import { CommitQueue } from './commit-queue.ts';
import { storageError, toStorageError, type StorageError } from './errors.ts';
import type { RowEncoder } from './row-encoder.ts';
import { RowReads } from './row-reads.ts';
import type { RowRange } from './row-scan.ts';
import type { EncodedBatch } from './row-shape.ts';
import type { RowChange } from './row.ts';
import type { AnyTables } from './schema.ts';
import type { DialectParts } from './statement-dialect.ts';
import { StorageFault } from './storage-fault.ts';
import type { StoreEngine } from './store-engine.ts';
import type { RowSource } from './row-source.ts';
import type { ScannedRow, ScanOptions, Store, StoreLimits, StoreStats } from './store.ts';
import type { TableLayout } from './table-layout.ts';

export interface RowStoreDeps {
  readonly engine: StoreEngine;
  readonly encoder: RowEncoder;
  readonly dialect: DialectParts;
  readonly logger: Logger;
}

export interface RowStoreOptions {
  /** How messages name this store; no password in it. */
  readonly name: string;
  readonly term: number;
  readonly limits: StoreLimits;
}

/** The store that all adapters share: checks, group commit, failure and reads over an engine. */
export class RowStore implements Store {
  readonly term: number;
  readonly #reads: RowReads;
  readonly #engine: StoreEngine;
  readonly #encoder: RowEncoder;
  readonly #logger: Logger;
  readonly #name: string;
  readonly #limits: StoreLimits;
  readonly #queue: CommitQueue;
  readonly #listeners: ((error: StorageError) => void)[] = [];
  #failure: StorageError | undefined;
  #closed: Promise<void> | undefined;

  constructor({ engine, encoder, dialect, logger }: RowStoreDeps, { name, term, limits }: RowStoreOptions) {
    this.term = term;
    this.#engine = engine;
    this.#encoder = encoder;
    this.#logger = logger;
    this.#name = name;
    this.#limits = limits;
    this.#queue = new CommitQueue(
      { commit: (group) => engine.commit(group), onFault: (fault) => this.#fail(fault) },
      limits,
    );
    const layout = (table: string): TableLayout => encoder.layout(table);
    this.#reads = new RowReads({ engine, dialect, layout }, { name, limits });
    engine.onFault((fault) => this.#queue.fail(fault));
  }

  async submit(changes: readonly RowChange[]): Promise<void> {
    try {
      await this.#queue.submit(this.#encode(changes));
    } catch (error) {
      throw this.#named(error);
    }
  }

  get rows(): Kysely<AnyTables> {
    return this.#reads.rows;
  }

  scan(range: RowRange, options: ScanOptions = {}): AsyncIterable<readonly ScannedRow[]> {
    return this.#reads.scan(range, options);
  }

  async share(): Promise<RowSource | undefined> {
    if (this.#closed) throw this.#named(new StorageFault('storage-failed', 'it is closed'));
    const engine = await this.#engine.share?.();
    if (!engine) return undefined;
    const { tables } = this.#encoder;
    return { name: this.#name, limits: this.#limits, tables, engine };
  }

  onFailed(listener: (error: StorageError) => void): void {
    if (this.#failure) listener(this.#failure);
    else this.#listeners.push(listener);
  }

  stats(): StoreStats {
    return this.#queue.stats();
  }

  /** Writes what was submitted, then lets go of the engine. Safe to repeat. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#reads.close();
    await this.#queue.idle();
    await this.#engine.close();
  }

  /** What is wrong with a batch fails the store: its owner has already acted on rows that will never be. */
  #encode(changes: readonly RowChange[]): EncodedBatch {
    if (this.#closed) throw new StorageFault('storage-failed', 'it is closed');
    try {
      const batch = this.#encoder.encode(changes);
      this.#checkSize(batch);
      return batch;
    } catch (error) {
      if (error instanceof StorageFault) this.#queue.fail(error);
      throw error;
    }
  }

  #checkSize({ shapes, bytes }: EncodedBatch): void {
    const { maxBatchChanges, maxBatchBytes } = this.#limits;
    if (shapes.length <= maxBatchChanges && bytes <= maxBatchBytes) return;
    const limit = `${maxBatchChanges} and ${maxBatchBytes}`;
    const detail = `a batch of ${shapes.length} changes and ${bytes} bytes is over ${limit}`;
    throw new StorageFault('storage-rejected', detail);
  }

  #fail(fault: StorageFault): void {
    const error = storageError(fault, this.#name, fault);
    this.#failure = error;
    this.#logger.error('Store failed', { store: this.#name, code: error.code, detail: fault.detail });
    for (const listener of this.#listeners.splice(0)) listener(error);
  }

  #named(error: unknown): StorageError {
    return toStorageError(error, this.#name);
  }
}
