export { type StorageError, type StorageErrorFacts } from './errors.ts';
export { MemoryDisk, type CommitLatency, type MemoryDiskDeps } from './memory/memory-disk.ts';
export {
  openMemoryStore,
  type MemoryStoreDeps,
  type MemoryStoreOptions,
} from './memory/open-memory-store.ts';
export {
  openPostgresStore,
  type PostgresStoreDeps,
  type PostgresStoreOptions,
} from './postgres/open-postgres-store.ts';
export type { Row, RowChange, SqlValue } from './row.ts';
export type { RowRange } from './row-scan.ts';
export { joinSchemas, type AnyTables, type Migration, type Schema, type TableDefinition } from './schema.ts';
export { openRowSource, sourcePorts, type OpenRows, type RowSource } from './row-source.ts';
export {
  openSqliteStore,
  type SqliteStoreDeps,
  type SqliteStoreOptions,
} from './sqlite/open-sqlite-store.ts';
export { STORAGE_ERROR_CODES, type StorageErrorCode } from './storage-fault.ts';
export {
  DEFAULT_STORE_LIMITS,
  type RowReader,
  type ScannedRow,
  type ScanOptions,
  type Store,
  type StoreLimits,
  type StoreStats,
} from './store.ts';
