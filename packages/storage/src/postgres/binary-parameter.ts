/**
 * A statement parameter in PostgreSQL's binary format, in parts, so that large blobs are sent from where
 * they lie.
 */
export class BinaryParameter {
  readonly parts: readonly Uint8Array[];
  readonly byteLength: number;

  private constructor(parts: readonly Uint8Array[]) {
    this.parts = parts;
    this.byteLength = parts.reduce((sum, part) => sum + part.byteLength, 0);
  }

  /** As `bytea`. */
  static blob(value: Uint8Array): BinaryParameter {
    return new BinaryParameter([value]);
  }

  /** As `bytea[]`. */
  static blobs(values: readonly (Uint8Array | null)[]): BinaryParameter {
    const parts: Uint8Array[] = [arrayHeader(values)];
    for (const value of values) {
      parts.push(int32(value === null ? NULL_LENGTH : value.byteLength));
      if (value !== null) parts.push(value);
    }
    return new BinaryParameter(joinSmall(parts));
  }
}

const BYTEA_OID = 17;
const NULL_LENGTH = -1;
/** Smaller parts are copied together: a write has a cost of its own. */
const MIN_OWN_PART_BYTES = 8192;

/** Of one dimension, whose first index is 1 (array_recv in PostgreSQL's arrayfuncs.c). */
function arrayHeader(values: readonly (Uint8Array | null)[]): Uint8Array {
  const dimensions = values.length === 0 ? 0 : 1;
  const hasNulls = values.includes(null) ? 1 : 0;
  const header = [dimensions, hasNulls, BYTEA_OID, ...(dimensions === 0 ? [] : [values.length, 1])];
  return Buffer.concat(header.map(int32));
}

function int32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** The same bytes in order, with runs of small parts made one. */
export function joinSmall(parts: readonly Uint8Array[]): Uint8Array[] {
  const result: Uint8Array[] = [];
  let small: Uint8Array[] = [];
  const flush = (): void => {
    if (small.length > 0) result.push(Buffer.concat(small));
    small = [];
  };
  for (const part of parts) {
    if (part.byteLength < MIN_OWN_PART_BYTES) {
      small.push(part);
      continue;
    }
    flush();
    result.push(part);
  }
  flush();
  return result;
}
