import type { Row, RowChange, Store } from '@clawbernetes/storage';

/** Rows that are dropped together. */
const ROWS_PER_BATCH = 2000;

interface Parts {
  readonly table: string;
  readonly part: string;
  readonly whole: string;
}

/** What is stored in parts, and the table of which a row makes them count. */
const PARTS: readonly Parts[] = [
  { table: 'ledger_checkpoint_part', part: 'part', whole: 'ledger_checkpoint' },
  { table: 'ledger_id_page', part: 'page', whole: 'ledger_id_run' },
];

/** Drops what a crash has left of checkpoints and runs before `sequence` that were never whole. */
export async function dropLeftovers(store: Store, sequence: number): Promise<void> {
  for (const { table, part, whole } of PARTS) {
    const wholes = store.rows.selectFrom(whole).select('sequence');
    for (;;) {
      const rows: Row[] = await store.rows
        .selectFrom(table)
        .select(['sequence', part])
        .where('sequence', '<', sequence)
        .where('sequence', 'not in', wholes)
        .limit(ROWS_PER_BATCH)
        .execute();
      if (rows.length === 0) break;
      await store.submit(rows.map((row): RowChange => ({ table, delete: row })));
    }
  }
}
