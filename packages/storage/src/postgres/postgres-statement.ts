import { quote } from '../quote.ts';
import type { RowShape } from '../row-shape.ts';
import type { SqlValue } from '../row.ts';
import type { ColumnKind } from '../table-layout.ts';
import { BinaryParameter } from './binary-parameter.ts';

const TYPES: Readonly<Record<ColumnKind, string>> = {
  integer: 'bigint',
  real: 'double precision',
  text: 'text',
  blob: 'bytea',
};

/** How rows come to a statement: as one array per column, or one row as it is. */
export type RowSource = 'arrays' | 'row';

/** SQL that applies rows of a shape: any number of them from arrays, or one. */
export function postgresStatement(shape: RowShape, source: RowSource): string {
  const columns = shape.columns.map(quote);
  const key = columns.slice(-shape.keyCount);
  const others = columns.slice(0, -shape.keyCount);
  const table = quote(shape.table);
  const given = `${parameters(shape, source)} as given (${columns.join(', ')})`;
  const insert = `insert into ${table} (${columns.join(', ')}) select ${columns.join(', ')} from`;
  if (shape.kind === 'delete')
    return `delete from ${table} using ${given} where ${sameKey(table, 'given', key)}`;
  if (shape.kind === 'insert') return `${insert} ${given}`;
  if (shape.isWhole) return `${insert} ${given} on conflict (${key.join(', ')}) ${resolution(others)}`;
  const assignments = (others.length > 0 ? others : key)
    .map((column) => `${column} = given.${column}`)
    .join(', ');
  const returned = key.map((column) => `${table}.${column}`).join(', ');
  return (
    `with given as (select * from ${given}), updated as (update ${table} set ${assignments} from given ` +
    `where ${sameKey(table, 'given', key)} returning ${returned}) ` +
    `${insert} given where not exists (select 1 from updated where ${sameKey('updated', 'given', key)})`
  );
}

function parameters({ kinds }: RowShape, source: RowSource): string {
  const suffix = source === 'arrays' ? '[]' : '';
  const places = kinds.map((kind, index) => `$${index + 1}::${TYPES[kind]}${suffix}`).join(', ');
  return source === 'arrays' ? `unnest(${places})` : `(values (${places}))`;
}

function resolution(others: readonly string[]): string {
  if (others.length === 0) return 'do nothing';
  return `do update set ${others.map((column) => `${column} = excluded.${column}`).join(', ')}`;
}

function sameKey(left: string, right: string, key: readonly string[]): string {
  return key.map((column) => `${left}.${column} = ${right}.${column}`).join(' and ');
}

/** One column's values as one parameter. */
export function arrayParameter(kind: ColumnKind, values: readonly SqlValue[]): string | BinaryParameter {
  // The row encoder lets blobs only into columns of blobs, and nothing else.
  return kind === 'blob' ? BinaryParameter.blobs(values as (Uint8Array | null)[]) : arrayLiteral(values);
}

export function rowParameter(value: SqlValue): string | BinaryParameter | null {
  if (value === null) return null;
  return value instanceof Uint8Array ? BinaryParameter.blob(value) : String(value);
}

/** One column's values as PostgreSQL writes an array (manual, 8.15.2). */
function arrayLiteral(values: readonly SqlValue[]): string {
  return `{${values.map(element).join(',')}}`;
}

function element(value: SqlValue): string {
  if (value === null) return 'NULL';
  return typeof value === 'string' ? `"${value.replace(/["\\]/g, '\\$&')}"` : String(value);
}
