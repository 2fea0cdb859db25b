import { quote } from '../quote.ts';
import type { SqlValue } from '../row.ts';
import type { PageColumn, PageRequest } from '../row-scan.ts';
import { StorageFault } from '../storage-fault.ts';
import type { QueryRow } from '../store-engine.ts';
import type { ColumnKind } from '../table-layout.ts';

/** In front of the first row: this, then flags and the length of an extension, both 32 bits. */
const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');
const HEADER_BYTES = SIGNATURE.byteLength + 4 + 4;
const NULL_LENGTH = -1;
const TRAILER = -1;

/**
 * A page as COPY in binary, which pg's own results cannot be. The window adds up sizes without reading the
 * blobs; only those of the page are read.
 */
export function copyStatement({
  table,
  key,
  columns,
  from,
  through,
  maxRows,
  maxBytes,
}: PageRequest): string {
  const names = columns.map(({ name }) => quote(name)).join(', ');
  const by = quote(key);
  const sizes = columns.filter(({ kind }) => kind === 'blob' || kind === 'text');
  const size = ['0', ...sizes.map(({ name }) => `coalesce(octet_length(${quote(name)}), 0)`)].join(' + ');
  const rows = `select ${names}, sum(${size}) over (order by ${by} rows unbounded preceding) - (${size})
    as bytes_before from ${quote(table)} where ${by} >= ${integer(from)} and ${by} <= ${integer(through)}
    order by ${by} limit ${integer(maxRows)}`;
  const page = `select ${names} from (${rows}) as page where bytes_before < ${integer(maxBytes)} order by ${by}`;
  return `${BY_INDEX} copy (${page}) to stdout (format binary)`;
}

/**
 * For this transaction, which the statements of one message are: a planner without statistics would rather
 * sort all rows up to the end, for each page again.
 */
const BY_INDEX = ['enable_seqscan', 'enable_bitmapscan', 'enable_sort']
  .map((setting) => `set local ${setting} = off;`)
  .join(' ');

/** COPY takes no parameters; the smallest bigint has no literal without a cast. */
function integer(value: number | bigint): string {
  return `('${BigInt(value)}'::bigint)`;
}

/** Rows out of the messages of a binary COPY (PostgreSQL manual, COPY, "Binary Format"), whole ones each. */
export class CopyReader {
  readonly rows: QueryRow[] = [];
  readonly #columns: readonly PageColumn[];

  constructor(columns: readonly PageColumn[]) {
    this.#columns = columns;
  }

  /** The bytes are pg's, which uses them again: blobs are copied out. */
  read(chunk: Buffer): void {
    let at = chunk.subarray(0, SIGNATURE.byteLength).equals(SIGNATURE) ? HEADER_BYTES : 0;
    while (at < chunk.byteLength) {
      const count = chunk.readInt16BE(at);
      at += 2;
      if (count === TRAILER) return;
      if (count !== this.#columns.length) throw unexpected(`${count} fields in a row`);
      at = this.#readRow(chunk, at);
    }
    if (at !== chunk.byteLength) throw unexpected('a row over several messages');
  }

  #readRow(chunk: Buffer, start: number): number {
    const row: QueryRow = {};
    let at = start;
    for (const { name, kind } of this.#columns) {
      const length = chunk.readInt32BE(at);
      at += 4;
      row[name] = length === NULL_LENGTH ? null : READERS[kind](chunk, at, at + length);
      at += Math.max(0, length);
    }
    this.rows.push(row);
    return at;
  }
}

const READERS: Readonly<Record<ColumnKind, (chunk: Buffer, start: number, end: number) => SqlValue>> = {
  integer: (chunk, start) => {
    const value = chunk.readBigInt64BE(start);
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  },
  real: (chunk, start) => chunk.readDoubleBE(start),
  text: (chunk, start, end) => chunk.toString('utf8', start, end),
  blob: (chunk, start, end) => new Uint8Array(chunk.subarray(start, end)),
};

function unexpected(what: string): StorageFault {
  return new StorageFault('storage-failed', `PostgreSQL answered ${what}`);
}
