// Shows that a planned group leaves the same rows as its changes one by one, with each key once per
// statement.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planGroup } from '../../src/postgres/group-plan.ts';
import { RowEncoder } from '../../src/row-encoder.ts';
import type { EncodedBatch } from '../../src/row-shape.ts';
import type { Row, RowChange, SqlValue } from '../../src/row.ts';
import { tableLayout } from '../../src/table-layout.ts';

const layout = tableLayout({ name: 't', key: ['k'] }, [
  { name: 'k', type: 'bigint' },
  { name: 'a', type: 'text' },
  { name: 'b', type: 'TEXT' },
]);

const key = fc.integer({ min: 0, max: 3 });
const text = fc.constantFrom('x', 'y', 'z');
const change: fc.Arbitrary<RowChange> = fc.oneof(
  fc.record({ k: key, a: text, b: text }).map((upsert) => ({ table: 't', upsert })),
  fc.record({ k: key, a: text }).map((upsert) => ({ table: 't', upsert })),
  fc.record({ b: text, k: key }).map((upsert) => ({ table: 't', upsert })),
  key.map((k) => ({ table: 't', delete: { k } })),
);

type Table = Map<SqlValue, Row>;

function apply(table: Table, kind: string, row: Row): void {
  const id = row['k'] ?? null;
  if (kind === 'delete') table.delete(id);
  else table.set(id, { a: null, b: null, ...table.get(id), ...row });
}

function oneByOne(batches: readonly RowChange[][]): Table {
  const table: Table = new Map();
  for (const each of batches.flat()) {
    if ('delete' in each) apply(table, 'delete', each.delete);
    else if ('upsert' in each) apply(table, 'upsert', each.upsert);
  }
  return table;
}

function planned(batches: readonly EncodedBatch[]): Table {
  const table: Table = new Map();
  for (const { shape, columns } of planGroup(batches)) {
    const keys = columns.at(-1) ?? [];
    expect(new Set(keys).size).toBe(keys.length);
    keys.forEach((_, index) => {
      const row = shape.columns.map((name, column) => [name, columns[column]?.[index] ?? null]);
      apply(table, shape.kind, Object.fromEntries(row));
    });
  }
  return table;
}

const sorted = (table: Table): unknown[] =>
  [...table.values()].toSorted((l, r) => Number(l['k']) - Number(r['k']));

describe('planGroup', () => {
  it('leaves the same rows as the changes in their order', () => {
    fc.assert(
      fc.property(fc.array(fc.array(change, { maxLength: 6 }), { maxLength: 8 }), (batches) => {
        const encoder = new RowEncoder([layout]);
        const encoded = batches.map((batch) => encoder.encode(batch));
        expect(sorted(planned(encoded))).toEqual(sorted(oneByOne(batches)));
      }),
    );
  });

  it('makes one statement of many rows of one shape', () => {
    const encoder = new RowEncoder([layout]);
    const batches = Array.from({ length: 100 }, (_, k) =>
      encoder.encode([{ table: 't', upsert: { k, a: 'x', b: 'y' } }]),
    );
    expect(planGroup([...batches, ...batches])).toHaveLength(1);
  });
});
