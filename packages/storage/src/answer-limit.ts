import { StorageFault } from './storage-fault.ts';
import type { QueryRow } from './store-engine.ts';

export interface AnswerLimits {
  readonly maxQueryRows: number;
  readonly maxQueryBytes: number;
}

/** Keeps one query from filling the memory of whoever answers it. */
export class AnswerLimit {
  readonly #limits: AnswerLimits;
  #rows = 0;
  #bytes = 0;

  constructor(limits: AnswerLimits) {
    this.#limits = limits;
  }

  /** @throws StorageFault `storage-rejected` for the row that is too much. */
  count(row: QueryRow): void {
    const { maxQueryRows, maxQueryBytes } = this.#limits;
    this.#rows += 1;
    this.#bytes += rowBytes(row);
    if (this.#rows > maxQueryRows) throw tooMuch(`${maxQueryRows} rows`);
    if (this.#bytes > maxQueryBytes) throw tooMuch(`${maxQueryBytes} bytes`);
  }
}

/** Roughly what a row weighs. */
export function rowBytes(row: QueryRow): number {
  let bytes = 0;
  for (const name in row) bytes += valueBytes(row[name]);
  return bytes;
}

function valueBytes(value: unknown): number {
  if (typeof value === 'string') return 8 + value.length;
  return value instanceof Uint8Array ? 8 + value.byteLength : 8;
}

function tooMuch(limit: string): StorageFault {
  return new StorageFault('storage-rejected', `a query answered more than ${limit}; page it`);
}
