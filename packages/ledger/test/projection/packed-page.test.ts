// Shows that columns come out of a page as they went in, whatever their range, at any place of a buffer.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { columnOf, INDEX_FIELDS, PackedPage, PageWriter } from '../../src/projection/packed-page.ts';

const numbers = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 0, max: 255 }),
  fc.integer({ min: 250, max: 70_000 }),
  fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  fc.constantFrom(2 ** 31, 2 ** 32 - 1),
);

/** Columns of one length, each of one kind of numbers. */
const table = fc
  .tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 6 }))
  .chain(([rows, columns]) =>
    fc.array(fc.array(numbers, { minLength: rows, maxLength: rows }), {
      minLength: columns,
      maxLength: columns,
    }),
  );

describe('a page', () => {
  it('holds what was put into it', () => {
    fc.assert(
      fc.property(fc.array(table, { minLength: 1, maxLength: 5 }), fc.nat({ max: 5 }), (tables, shift) => {
        const writer = new PageWriter(0);
        for (const [page, columns] of tables.entries()) {
          const cells = columns.map((column) => columnOf(Uint32Array.from(column)));
          writer.add(3, page, cells, 0, columns[0]?.length ?? 0);
        }
        const { bytes, index } = writer.finish();
        expect(index).toHaveLength(tables.length * INDEX_FIELDS);
        for (const [page, columns] of tables.entries()) {
          const [section, number, offset = 0, length = 0] = index.subarray(INDEX_FIELDS * page);
          expect([section, number]).toEqual([3, page]);
          const stored = new Uint8Array(length + shift);
          stored.set(bytes.subarray(offset, offset + length), shift);
          const read = new PackedPage(stored.subarray(shift));
          expect(read.count).toBe(columns[0]?.length);
          expect(columns.map((column, at) => column.map((_, row) => read.value(at, row)))).toEqual(columns);
        }
      }),
    );
  });

  it('takes every so many numbers of a wider record', () => {
    const cells = Uint32Array.from({ length: 300 }, (_, index) => (index % 3) * 100_000 + index);
    const writer = new PageWriter(0);
    const columns = [0, 1, 2].map((first) => ({ cells, first, stride: 3 }));
    writer.add(1, 0, columns, 10, 90);
    const page = new PackedPage(writer.finish().bytes);
    for (let row = 0; row < 80; row += 1) {
      for (const column of [0, 1, 2]) expect(page.value(column, row)).toBe(cells[3 * (row + 10) + column]);
    }
  });

  it('refuses bytes that were cut', () => {
    const writer = new PageWriter(0);
    writer.add(1, 0, [columnOf(Uint32Array.of(1, 2, 70_000))], 0, 3);
    const { bytes } = writer.finish();
    for (const length of [0, 7, 15]) expect(() => new PackedPage(bytes.slice(0, length))).toThrow(/page/);
    expect(() => new PackedPage(bytes.slice(0, 20))).toThrow('whole');
  });
});
