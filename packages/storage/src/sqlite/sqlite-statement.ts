import { quote } from '../quote.ts';
import type { RowShape } from '../row-shape.ts';

/**
 * SQL of a shape. Values bind in the order of its columns; an upsert that is not whole tries `update` first.
 */
export interface SqliteStatementText {
  readonly update?: string;
  readonly write: string;
}

export function sqliteStatement(shape: RowShape): SqliteStatementText {
  const { kind, columns, keyCount, isWhole } = shape;
  const table = quote(shape.table);
  const key = columns.slice(-keyCount).map(quote);
  const others = columns.slice(0, -keyCount).map(quote);
  const where = key.map((column) => `${column} = ?`).join(' and ');
  if (kind === 'delete') return { write: `delete from ${table} where ${where}` };
  const places = columns.map(() => '?').join(', ');
  const insert = `insert into ${table} (${columns.map(quote).join(', ')}) values (${places})`;
  if (kind === 'insert') return { write: insert };
  if (!isWhole)
    return { update: `update ${table} set ${assignments(others, key)} where ${where}`, write: insert };
  const excluded = others.map((column) => `${column} = excluded.${column}`).join(', ');
  const resolution = others.length > 0 ? `do update set ${excluded}` : 'do nothing';
  return { write: `${insert} on conflict (${key.join(', ')}) ${resolution}` };
}

/** A key alone changes nothing, but tells whether the row is there. */
function assignments(others: readonly string[], key: readonly string[]): string {
  if (others.length === 0)
    return key
      .slice(0, 1)
      .map((column) => `${column} = ${column}`)
      .join();
  return others.map((column) => `${column} = ?`).join(', ');
}
