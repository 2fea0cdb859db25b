import { present } from '@clawbernetes/kernel';
import type { EncodedBatch, RowShape } from './row-shape.ts';
import type { ChangeKind, Row, RowChange, SqlValue } from './row.ts';
import { StorageFault } from './storage-fault.ts';
import type { Column, TableLayout } from './table-layout.ts';

/**
 * Forms of change per store: each costs a prepared statement, so code that makes them without end is at
 * fault.
 */
const MAX_SHAPES = 4096;
const MAX_INTEGER = 2n ** 63n - 1n;
const MIN_INTEGER = -(2n ** 63n);

interface KnownShape extends RowShape {
  readonly layout: readonly Column[];
  /** Columns in the order in which the first such change named them. */
  readonly names: readonly string[];
}

/** Checks changes against the tables and encodes them, so that both engines accept and refuse the same. */
export class RowEncoder {
  readonly #tables: ReadonlyMap<string, TableLayout>;
  readonly #shapes = new Map<string, KnownShape>();
  /** By table, the shape of the change before: the next one is often like it. */
  readonly #recent = new Map<string, Partial<Record<ChangeKind, KnownShape>>>();

  constructor(tables: readonly TableLayout[]) {
    this.#tables = new Map(tables.map((table) => [table.name, table]));
  }

  /** @throws StorageFault `storage-rejected`. */
  encode(changes: readonly RowChange[]): EncodedBatch {
    const shapes: RowShape[] = [];
    const values: SqlValue[] = [];
    let bytes = 0;
    for (const change of changes) {
      const kind: ChangeKind = 'upsert' in change ? 'upsert' : 'insert' in change ? 'insert' : 'delete';
      const row = 'upsert' in change ? change.upsert : 'insert' in change ? change.insert : change.delete;
      const shape = this.#shape(change.table, kind, row);
      shapes.push(shape);
      for (const column of shape.layout) {
        const value = row[column.name];
        bytes += valueBytes(shape, column, value);
        values.push(value as SqlValue); // valueBytes has refused anything else
      }
    }
    return { shapes, values, bytes: bytes + 8 * changes.length };
  }

  get tables(): readonly TableLayout[] {
    return [...this.#tables.values()];
  }

  /** @throws StorageFault `storage-rejected`. */
  layout(table: string): TableLayout {
    const layout = this.#tables.get(table);
    if (!layout) throw refused(`the schema has no table ${table}`);
    return layout;
  }

  #shape(table: string, kind: ChangeKind, row: Row): KnownShape {
    const recent = this.#recent.get(table)?.[kind];
    if (recent && namesAre(row, recent.names)) return recent;
    const shape = this.#findShape(table, kind, row);
    this.#recent.set(table, { ...this.#recent.get(table), [kind]: shape });
    return shape;
  }

  #findShape(table: string, kind: ChangeKind, row: Row): KnownShape {
    const names = Object.keys(row);
    const signature = `${kind} ${table} ${names.join()}`;
    const known = this.#shapes.get(signature);
    if (known) return known;
    if (this.#shapes.size >= MAX_SHAPES) throw refused(`more than ${MAX_SHAPES} forms of change`);
    const shape = this.#newShape(table, kind, names);
    this.#shapes.set(signature, shape);
    return shape;
  }

  #newShape(tableName: string, kind: ChangeKind, names: readonly string[]): KnownShape {
    const table = this.layout(tableName);
    const unknown = names.find((name) => !table.columns.has(name));
    if (unknown !== undefined) throw refused(`the table ${tableName} has no column ${unknown}`);
    const missing = table.key.find((name) => !names.includes(name));
    if (missing !== undefined) throw refused(`a change of ${tableName} lacks its key column ${missing}`);
    const others = names.filter((name) => !table.key.includes(name));
    if (kind === 'delete' && others.length > 0)
      throw refused(`a delete from ${tableName} names ${others.join(', ')}`);
    const columns = [...others, ...table.key];
    const layout = columns.map((name) => present(table.columns.get(name), `column ${name}`));
    return {
      id: this.#shapes.size,
      table: tableName,
      kind,
      columns,
      keyCount: table.key.length,
      isWhole: columns.length === table.columns.size,
      kinds: layout.map((column) => column.kind),
      layout,
      names,
    };
  }
}

/** Whether these are the columns of the row, in this order. */
function namesAre(row: Row, names: readonly string[]): boolean {
  let at = 0;
  for (const name in row) {
    if (name !== names[at]) return false;
    at += 1;
  }
  return at === names.length;
}

function valueBytes(shape: RowShape, column: Column, value: unknown): number {
  if (value === null && !column.isKey) return 8;
  const bytes = BYTES[column.kind](value);
  if (bytes !== undefined) return bytes;
  throw refused(`${shape.table}.${column.name} (${column.kind}) cannot hold ${describe(value)}`);
}

/** Size of a value that the kind of column can hold on both engines, else undefined. */
const BYTES: Readonly<Record<Column['kind'], (value: unknown) => number | undefined>> = {
  integer: (value) => (isInteger(value) ? 8 : undefined),
  real: (value) => (Number.isFinite(value) ? 8 : undefined),
  // PostgreSQL's text has no NUL; a lone surrogate is no Unicode and would come back as another character.
  text: (value) =>
    typeof value === 'string' && !value.includes('\0') && value.isWellFormed() ? 8 + value.length : undefined,
  blob: (value) => (value instanceof Uint8Array && !isDetached(value) ? 8 + value.byteLength : undefined),
};

/** Its memory was transferred elsewhere; it would be written as an empty blob. */
function isDetached({ buffer }: Uint8Array): boolean {
  return buffer instanceof ArrayBuffer && buffer.detached;
}

function isInteger(value: unknown): boolean {
  return typeof value === 'bigint'
    ? value >= MIN_INTEGER && value <= MAX_INTEGER
    : Number.isSafeInteger(value);
}

function describe(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'bigint') return `${typeof value} ${value}`;
  if (typeof value === 'string') return 'this string (NUL or lone surrogate, or not text at all)';
  return value === null ? 'null' : typeof value;
}

function refused(detail: string): StorageFault {
  return new StorageFault('storage-rejected', detail);
}
