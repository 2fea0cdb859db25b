import { quote } from '../quote.ts';
import type { RowShape } from '../row-shape.ts';
import type { SqlValue } from '../row.ts';
import type { ColumnKind } from '../table-layout.ts';

const TYPES: Readonly<Record<ColumnKind, string>> = {
  integer: 'bigint',
  real: 'double precision',
  text: 'text',
  blob: 'bytea',
};

/** SQL that applies any number of rows of a shape: its parameters are one array per column. */
export function postgresStatement(shape: RowShape): string {
  const columns = shape.columns.map(quote);
  const key = columns.slice(-shape.keyCount);
  const others = columns.slice(0, -shape.keyCount);
  const table = quote(shape.table);
  const arrays = shape.kinds.map((kind, index) => `$${index + 1}::${TYPES[kind]}[]`).join(', ');
  const given = `unnest(${arrays}) as given (${columns.join(', ')})`;
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

function resolution(others: readonly string[]): string {
  if (others.length === 0) return 'do nothing';
  return `do update set ${others.map((column) => `${column} = excluded.${column}`).join(', ')}`;
}

function sameKey(left: string, right: string, key: readonly string[]): string {
  return key.map((column) => `${left}.${column} = ${right}.${column}`).join(' and ');
}

/** One column's values as PostgreSQL writes an array (manual, 8.15.2). */
export function arrayLiteral(values: readonly SqlValue[]): string {
  return `{${values.map(element).join(',')}}`;
}

function element(value: SqlValue): string {
  if (value === null) return 'NULL';
  if (typeof value === 'string') return `"${value.replace(/["\\]/g, '\\$&')}"`;
  if (value instanceof Uint8Array) return `"\\\\x${Buffer.from(value).toString('hex')}"`;
  return String(value);
}
