/** What a column can hold. Integers are exact: a number when safe, else a bigint within 64 bits. */
export type SqlValue = null | number | string | bigint | Uint8Array;

export type Row = Readonly<Record<string, SqlValue>>;

/**
 * One row operation. `upsert` replaces by primary key (columns absent from the row keep their value),
 * `insert` fails on an existing key, `delete` is by key and leaves an absent row alone.
 */
export type RowChange =
  | { readonly table: string; readonly upsert: Row }
  | { readonly table: string; readonly insert: Row }
  | { readonly table: string; readonly delete: Row };

export type ChangeKind = 'upsert' | 'insert' | 'delete';
