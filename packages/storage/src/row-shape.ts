import type { ChangeKind, SqlValue } from './row.ts';
import type { FaultFacts } from './storage-fault.ts';
import type { ColumnKind } from './table-layout.ts';

/**
 * What changes of one form have in common: they share a prepared statement and differ in values only. Plain
 * data: it crosses to the worker once, then goes by its id.
 */
export interface RowShape {
  readonly id: number;
  readonly table: string;
  readonly kind: ChangeKind;
  /** In the order of the values: others first, key columns last. */
  readonly columns: readonly string[];
  readonly kinds: readonly ColumnKind[];
  readonly keyCount: number;
  /** False when the table has further columns, which an upsert must leave as they are. */
  readonly isWhole: boolean;
}

/** A batch as shapes and one flat list of their values, in order. */
export interface EncodedBatch {
  readonly shapes: readonly RowShape[];
  readonly values: readonly SqlValue[];
  /** Roughly what it weighs in memory and on the wire. */
  readonly bytes: number;
}

/** How far the batches of a group got. Without a fault, all of them. */
export interface GroupOutcome {
  /** This many, from the first on, are durable. */
  readonly committed: number;
  /** Why the next one is not. */
  readonly fault?: FaultFacts;
}
