import type { Migration, Schema } from '@clawbernetes/storage';

const historyTables: Migration = {
  name: 'ledger-0002-history',
  async up(database) {
    // A row counts once it is there: its pages are written before it.
    await database.schema
      .createTable('ledger_segment')
      .addColumn('segment', 'bigint', (column) => column.primaryKey())
      .addColumn('first_row', 'bigint', (column) => column.notNull())
      .addColumn('rows', 'bigint', (column) => column.notNull())
      .addColumn('after_sequence', 'bigint', (column) => column.notNull())
      .addColumn('sequence', 'bigint', (column) => column.notNull())
      .addColumn('first_ms', 'bigint', (column) => column.notNull())
      .addColumn('last_ms', 'bigint', (column) => column.notNull())
      .addColumn('accounts', 'bigint', (column) => column.notNull())
      .addColumn('buckets', 'bigint', (column) => column.notNull())
      .addColumn('heads', 'bigint', (column) => column.notNull())
      .addColumn('times', 'bytea', (column) => column.notNull())
      .execute();
    await database.schema
      .createTable('ledger_segment_page')
      .addColumn('segment', 'bigint', (column) => column.notNull())
      .addColumn('section', 'bigint', (column) => column.notNull())
      .addColumn('page', 'bigint', (column) => column.notNull())
      .addColumn('body', 'bytea', (column) => column.notNull())
      .addPrimaryKeyConstraint('ledger_segment_page_key', ['segment', 'section', 'page'])
      .execute();
  },
};

/** Tables of the ledger's history, on the store of its journal. */
export const HISTORY_SCHEMA: Schema = {
  tables: [
    { name: 'ledger_segment', key: ['segment'] },
    { name: 'ledger_segment_page', key: ['segment', 'section', 'page'] },
  ],
  migrations: [historyTables],
};
