import type { EncodedBatch, RowShape } from '../row-shape.ts';
import type { SqlValue } from '../row.ts';

/** A group of batches as it crosses to the thread that owns the file: flat, so that copying is cheap. */
export interface SqliteGroup {
  /** Shapes that the receiver has not seen yet. */
  readonly newShapes: readonly RowShape[];
  /** Shape id of each change. */
  readonly shapeIds: readonly number[];
  /** Where each batch ends in `shapeIds`. */
  readonly ends: readonly number[];
  readonly values: readonly SqlValue[];
}

/** Flattens groups for one receiver and remembers which shapes that one knows. */
export class SqliteGroupWriter {
  readonly #sent = new Set<number>();

  write(batches: readonly EncodedBatch[]): SqliteGroup {
    const newShapes: RowShape[] = [];
    const shapeIds: number[] = [];
    const ends: number[] = [];
    const values: SqlValue[] = [];
    for (const batch of batches) {
      for (const shape of batch.shapes) {
        shapeIds.push(shape.id);
        if (this.#sent.has(shape.id)) continue;
        this.#sent.add(shape.id);
        newShapes.push(plain(shape));
      }
      for (const value of batch.values) values.push(value instanceof Uint8Array ? compact(value) : value);
      ends.push(shapeIds.length);
    }
    return { newShapes, shapeIds, ends, values };
  }
}

/** A view crosses to another thread with all the memory under it, unless that is shared. */
function compact(value: Uint8Array): Uint8Array {
  const { buffer, byteLength } = value;
  return buffer instanceof ArrayBuffer && byteLength < buffer.byteLength ? value.slice() : value;
}

function plain({ id, table, kind, columns, kinds, keyCount, isWhole }: RowShape): RowShape {
  return { id, table, kind, columns, kinds, keyCount, isWhole };
}
