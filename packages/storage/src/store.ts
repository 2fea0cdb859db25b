import type { Kysely } from 'kysely';
import type { StorageError } from './errors.ts';
import type { RowChange, SqlValue } from './row.ts';
import type { RowRange } from './row-scan.ts';
import type { AnyTables } from './schema.ts';
import type { RowSource } from './row-source.ts';

/** Reads, and only reads, of committed rows. */
export interface RowReader {
  readonly rows: Kysely<AnyTables>;
  /**
   * The rows of a table whose key is one integer column, in the order of that key: pages of up to
   * `maxPageBytes`, the next one being read meanwhile. Rows committed after the first page may be among them.
   * @throws CodedError as `rows` does; the signal's reason.
   */
  scan(range: RowRange, options?: ScanOptions): AsyncIterable<readonly ScannedRow[]>;
}

/** Durable rows with one writer. Its three adapters pass `storeSuite`. */
export interface Store extends RowReader, AsyncDisposable {
  /** Writer term: rises by one with every opening for writing. The first half of every epoch. */
  readonly term: number;
  /**
   * Resolves when durable. Batches commit in the order of submission, each whole or not at all; many may
   * share a transaction. An empty batch resolves when all before it are durable. Blobs are not copied before
   * they are written: leave them as they are until this settles. Over a SharedArrayBuffer they cross to the
   * writing thread without any copy.
   * @throws CodedError `storage-overloaded`: the batch was not taken, the store goes on. Every other code
   * means that the store has failed: all later batches reject with `storage-failed` and the owner, whose
   * memory is ahead, must reopen.
   */
  submit(changes: readonly RowChange[]): Promise<void>;
  /**
   * By which another thread reads the same rows past this one (`openRowSource`), for as long as the store is
   * open; undefined where the rows are in this thread. @throws CodedError as `rows` does.
   */
  share(): Promise<RowSource | undefined>;
  /** Called once when the store can no longer be written; at once if that has happened already. */
  onFailed(listener: (error: StorageError) => void): void;
  stats(): StoreStats;
}

/** The columns of a row by their names. */
export type ScannedRow = Readonly<Record<string, SqlValue>>;

export interface ScanOptions {
  readonly signal?: AbortSignal;
}

export interface StoreStats {
  /** Since opening: transactions, the batches and changes in them. */
  readonly transactions: number;
  readonly batches: number;
  readonly changes: number;
  /** Waiting now, those in flight included; compare with the limits before taking on work. */
  readonly queuedBatches: number;
  readonly queuedBytes: number;
}

export interface StoreLimits {
  readonly maxBatchChanges: number;
  readonly maxBatchBytes: number;
  readonly maxQueuedBatches: number;
  readonly maxQueuedBytes: number;
  /** Most that shares one transaction. */
  readonly maxGroupBatches: number;
  readonly maxGroupBytes: number;
  /** Most rows that one query may answer; page beyond. */
  readonly maxQueryRows: number;
  /** Roughly, of one answer. */
  readonly maxQueryBytes: number;
  readonly maxQueuedQueries: number;
  /** Most that one page of a scan holds; two pages are in memory at a time. */
  readonly maxPageRows: number;
  /** Roughly, and one row at least. */
  readonly maxPageBytes: number;
}

const MIB = 2 ** 20;
export const DEFAULT_STORE_LIMITS: StoreLimits = {
  maxBatchChanges: 20_000,
  maxBatchBytes: 16 * MIB,
  maxQueuedBatches: 50_000,
  maxQueuedBytes: 64 * MIB,
  maxGroupBatches: 2_000,
  maxGroupBytes: 4 * MIB,
  maxQueryRows: 100_000,
  maxQueryBytes: 32 * MIB,
  maxQueuedQueries: 1_000,
  maxPageRows: 2_000,
  maxPageBytes: 8 * MIB,
};

/** The limits among options, and nothing else of them: they are handed on to other threads. */
export function storeLimits(options: Partial<StoreLimits> = {}): StoreLimits {
  const limits: { -readonly [Name in keyof StoreLimits]: number } = { ...DEFAULT_STORE_LIMITS };
  for (const name of Object.keys(limits) as (keyof StoreLimits)[])
    limits[name] = options[name] ?? limits[name];
  return limits;
}
