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
  readonly #withBlobs = new Set<number>();

  write(batches: readonly EncodedBatch[]): SqliteGroup {
    const newShapes: RowShape[] = [];
    const shapeIds: number[] = [];
    const ends: number[] = [];
    const values: (readonly SqlValue[])[] = [];
    for (const batch of batches) {
      let hasBlobs = false;
      for (const shape of batch.shapes) {
        shapeIds.push(shape.id);
        if (!this.#sent.has(shape.id)) newShapes.push(this.#introduce(shape));
        hasBlobs ||= this.#withBlobs.has(shape.id);
      }
      values.push(hasBlobs ? batch.values.map(compact) : batch.values);
      ends.push(shapeIds.length);
    }
    const [first = [], ...others] = values;
    return { newShapes, shapeIds, ends, values: others.length === 0 ? first : values.flat() };
  }

  #introduce(shape: RowShape): RowShape {
    this.#sent.add(shape.id);
    if (shape.kinds.includes('blob')) this.#withBlobs.add(shape.id);
    return plain(shape);
  }
}

/** A view crosses to another thread with all the memory under it, unless that is shared. */
function compact(value: SqlValue): SqlValue {
  if (!(value instanceof Uint8Array)) return value;
  const { buffer, byteLength } = value;
  return buffer instanceof ArrayBuffer && byteLength < buffer.byteLength ? value.slice() : value;
}

function plain({ id, table, kind, columns, kinds, keyCount, isWhole }: RowShape): RowShape {
  return { id, table, kind, columns, kinds, keyCount, isWhole };
}
