import { assert } from '@clawbernetes/kernel';
import { u32 } from '../machine/cells.ts';

/**
 * Columns of 32-bit numbers, each in as few bytes as its own range needs: frame-of-reference coding
 * (Goldstein et al. 1998), at 0, 1, 2 or 4 bytes for each value, so that one value is read without its
 * neighbours.
 *
 * A page: count u32, columns u32; for each column its least value u32 and its place u32, which is the offset
 * in bytes times eight, plus the width; then the columns, each beginning at a multiple of four.
 */
const HEADER_WORDS = 2;
const COLUMN_WORDS = 2;

/** Where numbers of a column are: the first one, and how far apart they are. */
export interface PageColumn {
  readonly cells: Uint32Array;
  readonly first: number;
  readonly stride: number;
}

/** Numbers that lie side by side. */
export function columnOf(cells: Uint32Array): PageColumn {
  return { cells, first: 0, stride: 1 };
}

/** Builds pages one after the other in shared memory, which crosses threads without a copy. */
export class PageWriter {
  #bytes: Uint8Array<SharedArrayBuffer>;
  #used = 0;
  readonly #index: number[] = [];

  /**
   * @param expectedBytes room that it makes at once.
   * @param spare memory that nobody reads any more.
   */
  constructor(expectedBytes: number, spare?: SharedArrayBuffer) {
    const memory = spare ?? new SharedArrayBuffer(Math.max(65_536, (expectedBytes + 7) & ~7));
    this.#bytes = new Uint8Array(memory);
  }

  /** Appends the rows from `from` up to `to`, not included, of these columns as one page. */
  add(section: number, page: number, columns: readonly PageColumn[], from: number, to: number): void {
    const count = to - from;
    const header = 4 * (HEADER_WORDS + COLUMN_WORDS * columns.length);
    this.#reserve(header + columns.length * 4 * (count + 1));
    const start = this.#used;
    const words = new Uint32Array(this.#bytes.buffer, start, header / 4);
    words[0] = count;
    words[1] = columns.length;
    let offset = header;
    for (const [index, column] of columns.entries()) {
      const { least, width } = rangeOf(column, from, to);
      words[HEADER_WORDS + COLUMN_WORDS * index] = least;
      words[HEADER_WORDS + COLUMN_WORDS * index + 1] = offset * 8 + width;
      if (width > 0) put(column, from, cellsAt(this.#bytes.buffer, start + offset, count, width), least);
      offset += (width * count + 3) & ~3;
    }
    this.#used = start + ((offset + 7) & ~7);
    this.#index.push(section, page, start, offset);
  }

  finish(): PackedPages {
    return { bytes: this.#bytes.subarray(0, this.#used), index: Float64Array.from(this.#index) };
  }

  #reserve(bytes: number): void {
    const needed = this.#used + bytes + 8;
    if (needed <= this.#bytes.length) return;
    const longer = new Uint8Array(new SharedArrayBuffer((Math.max(needed, 2 * this.#bytes.length) + 7) & ~7));
    longer.set(this.#bytes.subarray(0, this.#used));
    this.#bytes = longer;
  }
}

export interface PackedPages {
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  /** Of each page: section, number, offset and length in bytes. */
  readonly index: Float64Array;
}

export const INDEX_FIELDS = 4;

/** Reads a page in place. */
export class PackedPage {
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  readonly #cells: (Uint8Array | Uint16Array | Uint32Array | undefined)[] = [];
  readonly count: number;

  constructor(bytes: Uint8Array) {
    // Views of wider words begin where such words do.
    this.#bytes = bytes.byteOffset % 4 === 0 ? bytes : Uint8Array.from(bytes);
    assert(bytes.length >= 4 * HEADER_WORDS, 'a page of the history has its header');
    const words = new Uint32Array(this.#bytes.buffer, this.#bytes.byteOffset, bytes.length >>> 2);
    this.#words = words;
    const header = HEADER_WORDS + COLUMN_WORDS * u32(words, 1);
    assert(words.length >= header, 'a page of the history has its header');
    this.count = u32(words, 0);
    for (let column = 0; column < u32(words, 1); column += 1) this.#cells.push(this.#column(column));
  }

  get byteLength(): number {
    return this.#bytes.byteLength;
  }

  value(column: number, row: number): number {
    const least = u32(this.#words, HEADER_WORDS + COLUMN_WORDS * column);
    const cells = this.#cells[column];
    return cells === undefined ? least : least + (cells[row] as number);
  }

  #column(column: number): Uint8Array | Uint16Array | Uint32Array | undefined {
    const place = u32(this.#words, HEADER_WORDS + COLUMN_WORDS * column + 1);
    const [offset, width] = [place >>> 3, place & 7];
    assert(offset + width * this.count <= this.#bytes.length, 'a page of the history is whole');
    if (width === 0) return undefined;
    return cellsAt(this.#bytes.buffer, this.#bytes.byteOffset + offset, this.count, width);
  }
}

function cellsAt(
  buffer: ArrayBufferLike,
  at: number,
  count: number,
  width: number,
): Uint8Array | Uint16Array | Uint32Array {
  if (width === 1) return new Uint8Array(buffer, at, count);
  return width === 2 ? new Uint16Array(buffer, at, count) : new Uint32Array(buffer, at, count);
}

type Cells = Uint8Array | Uint16Array | Uint32Array;

/** One loop for each width: an array of a known kind is several times as fast. */
function put(column: PageColumn, from: number, to: Cells, least: number): void {
  if (to instanceof Uint8Array) putBytes(column, from, to, least);
  else if (to instanceof Uint16Array) putShorts(column, from, to, least);
  else putWords(column, from, to, least);
}

function putBytes({ cells, first, stride }: PageColumn, from: number, to: Uint8Array, least: number): void {
  for (let row = 0, at = first + from * stride; row < to.length; row += 1, at += stride)
    to[row] = u32(cells, at) - least;
}

function putShorts({ cells, first, stride }: PageColumn, from: number, to: Uint16Array, least: number): void {
  for (let row = 0, at = first + from * stride; row < to.length; row += 1, at += stride)
    to[row] = u32(cells, at) - least;
}

function putWords({ cells, first, stride }: PageColumn, from: number, to: Uint32Array, least: number): void {
  for (let row = 0, at = first + from * stride; row < to.length; row += 1, at += stride)
    to[row] = u32(cells, at) - least;
}

function rangeOf(
  { cells, first, stride }: PageColumn,
  from: number,
  to: number,
): { readonly least: number; readonly width: number } {
  let least = u32(cells, first + from * stride);
  let most = least;
  for (let row = from + 1, at = first + row * stride; row < to; row += 1, at += stride) {
    const value = u32(cells, at);
    if (value < least) least = value;
    else if (value > most) most = value;
  }
  const range = most - least;
  if (range === 0) return { least, width: 0 };
  return { least, width: range < 256 ? 1 : range < 65_536 ? 2 : 4 };
}
