import { StorageFault } from './storage-fault.ts';
import type { TableDefinition } from './schema.ts';

/** The declared column types that both engines hold alike, and what they hold. */
const COLUMN_KINDS = {
  bigint: 'integer',
  text: 'text',
  'double precision': 'real',
  bytea: 'blob',
} as const;
export type ColumnKind = (typeof COLUMN_KINDS)[keyof typeof COLUMN_KINDS];

export interface Column {
  readonly name: string;
  readonly kind: ColumnKind;
  readonly isKey: boolean;
}

/** A table as the engine has it. */
export interface TableLayout {
  readonly name: string;
  readonly key: readonly string[];
  readonly columns: ReadonlyMap<string, Column>;
}

export interface DeclaredColumn {
  readonly name: string;
  /** As written in the migration, any case. */
  readonly type: string;
}

/**
 * Checks what the engine says about a table against its definition. @throws StorageFault `storage-rejected`.
 */
export function tableLayout(definition: TableDefinition, declared: readonly DeclaredColumn[]): TableLayout {
  const { name, key } = definition;
  if (declared.length === 0)
    throw new StorageFault('storage-rejected', `no migration creates the table ${name}`);
  const columns = declared.map((column): Column => ({
    name: column.name,
    kind: kindOf(name, column),
    isKey: key.includes(column.name),
  }));
  const missing = key.find((column) => !columns.some((known) => known.name === column));
  if (missing !== undefined || key.length === 0) {
    throw new StorageFault('storage-rejected', `the table ${name} has no key column ${missing ?? ''}`);
  }
  return { name, key, columns: new Map(columns.map((column) => [column.name, column])) };
}

function kindOf(table: string, { name, type }: DeclaredColumn): ColumnKind {
  const declared = type.toLowerCase();
  if (declared in COLUMN_KINDS) return COLUMN_KINDS[declared as keyof typeof COLUMN_KINDS];
  const known = Object.keys(COLUMN_KINDS).join(', ');
  throw new StorageFault(
    'storage-rejected',
    `${table}.${name} is declared "${type}"; both engines know ${known}`,
  );
}
