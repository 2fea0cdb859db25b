import type { ColumnKind } from './table-layout.ts';
import type { QueryRow } from './store-engine.ts';

/** A range of rows of a table whose key is one integer column. */
export interface RowRange {
  readonly table: string;
  /** First key, inclusive; from the smallest one on when absent. */
  readonly from?: number | bigint;
  /** Last key, inclusive. */
  readonly through?: number | bigint;
}

/** What an engine reads at once: rows in the order of the key, up to a limit of rows or bytes. */
export interface PageRequest {
  readonly table: string;
  readonly key: string;
  readonly columns: readonly PageColumn[];
  readonly from: number | bigint;
  readonly through: number | bigint;
  readonly maxRows: number;
  /** Roughly; a page has one row at least, however large. */
  readonly maxBytes: number;
}

export interface PageColumn {
  readonly name: string;
  readonly kind: ColumnKind;
}

export type ReadPage = (request: PageRequest) => Promise<QueryRow[]>;

export const MIN_KEY = -(2n ** 63n);
export const MAX_KEY = 2n ** 63n - 1n;

/** All pages of a request, in order. The next one is being read while the caller works on one. */
export async function* pages(
  read: ReadPage,
  request: PageRequest,
  { signal }: { readonly signal?: AbortSignal } = {},
): AsyncGenerator<readonly QueryRow[], void, undefined> {
  let next: Promise<QueryRow[]> | undefined = read(request);
  try {
    while (next !== undefined) {
      const rows: QueryRow[] = await next;
      signal?.throwIfAborted();
      const last = rows.at(-1)?.[request.key];
      next = isBelow(last, request.through) ? read({ ...request, from: BigInt(last) + 1n }) : undefined;
      next?.catch(() => undefined); // awaited above, unless the caller leaves first
      if (rows.length > 0) yield rows;
    }
  } finally {
    await next?.catch(() => undefined); // so that nothing is under way once the caller has left
  }
}

function isBelow(last: unknown, through: number | bigint): last is number | bigint {
  return (typeof last === 'number' || typeof last === 'bigint') && last < through;
}
