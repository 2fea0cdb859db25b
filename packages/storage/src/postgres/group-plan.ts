import type { EncodedBatch, RowShape } from '../row-shape.ts';
import type { SqlValue } from '../row.ts';

/** Rows of one shape that one statement applies. */
export interface PlannedStatement {
  readonly shape: RowShape;
  /** Values by column, then by row. */
  readonly columns: readonly (readonly SqlValue[])[];
}

interface Statement {
  readonly shape: RowShape;
  readonly columns: SqlValue[][];
}

interface LastChange {
  readonly level: number;
  readonly statement: Statement;
  readonly row: number;
}

/**
 * Turns a group of batches into few statements. Changes of one key keep their order: each goes a level below
 * the one before it, and a level's statements touch every key once. Changes of different keys may trade
 * places, which no reader can see; where a constraint does see it, the statement fails and the group is tried
 * again batch by batch.
 */
export function planGroup(batches: readonly EncodedBatch[]): PlannedStatement[] {
  const levels: Map<number, Statement>[] = [];
  const last = new Map<string, LastChange>();
  for (const { shapes, values } of batches) {
    let at = 0;
    for (const shape of shapes) {
      const row = values.slice(at, at + shape.columns.length);
      at += shape.columns.length;
      const key = keyOf(shape, row);
      const before = last.get(key);
      if (before && isShadowed(before, shape)) replaceRow(before, row);
      else last.set(key, append(levels, before ? before.level + 1 : 0, shape, row));
    }
  }
  return levels.flatMap((level) => [...level.values()]);
}

/** Keys hold no null, and text no NUL, so the parts cannot run together. */
function keyOf(shape: RowShape, row: readonly SqlValue[]): string {
  return `${shape.table}\0${row.slice(-shape.keyCount).join('\0')}`;
}

/** An upsert right after one of the same columns leaves nothing of it. */
function isShadowed(before: LastChange, shape: RowShape): boolean {
  return shape.kind === 'upsert' && before.statement.shape.id === shape.id;
}

function replaceRow({ statement, row }: LastChange, values: readonly SqlValue[]): void {
  statement.columns.forEach((column, index) => (column[row] = values[index] ?? null));
}

function append(
  levels: Map<number, Statement>[],
  level: number,
  shape: RowShape,
  values: readonly SqlValue[],
): LastChange {
  const statements = (levels[level] ??= new Map());
  let statement = statements.get(shape.id);
  if (!statement) {
    statement = { shape, columns: shape.columns.map(() => []) };
    statements.set(shape.id, statement);
  }
  statement.columns.forEach((column, index) => column.push(values[index] ?? null));
  return { level, statement, row: (statement.columns[0]?.length ?? 0) - 1 };
}
