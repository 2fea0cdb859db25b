import type { Migration, Schema } from '@clawbernetes/storage';

const ledgerTables: Migration = {
  name: 'ledger-0001-journal',
  async up(database) {
    // One row per frame, never changed and never dropped: an audit replays all of them.
    await database.schema
      .createTable('ledger_frame')
      .addColumn('sequence', 'bigint', (column) => column.primaryKey())
      .addColumn('time_ms', 'bigint', (column) => column.notNull())
      .addColumn('hash', 'bytea', (column) => column.notNull())
      .addColumn('body', 'bytea', (column) => column.notNull())
      .execute();
    // States from which a replay may begin. Its row is written last: without it the parts mean nothing.
    await database.schema
      .createTable('ledger_checkpoint')
      .addColumn('sequence', 'bigint', (column) => column.primaryKey())
      .addColumn('time_ms', 'bigint', (column) => column.notNull())
      .addColumn('since_ms', 'bigint', (column) => column.notNull())
      .addColumn('hash', 'bytea', (column) => column.notNull())
      .addColumn('parts', 'bigint', (column) => column.notNull())
      .execute();
    await database.schema
      .createTable('ledger_checkpoint_part')
      .addColumn('sequence', 'bigint', (column) => column.notNull())
      .addColumn('part', 'bigint', (column) => column.notNull())
      .addColumn('section', 'text', (column) => column.notNull())
      .addColumn('body', 'bytea', (column) => column.notNull())
      .addPrimaryKeyConstraint('ledger_checkpoint_part_key', ['sequence', 'part'])
      .execute();
    // Ids that were set aside, by the checkpoint that did so.
    await database.schema
      .createTable('ledger_id_run')
      .addColumn('sequence', 'bigint', (column) => column.primaryKey())
      .addColumn('count', 'bigint', (column) => column.notNull())
      .addColumn('first_ms', 'bigint', (column) => column.notNull())
      .addColumn('last_ms', 'bigint', (column) => column.notNull())
      .addColumn('firsts', 'bytea', (column) => column.notNull())
      .addColumn('filter', 'bytea', (column) => column.notNull())
      .execute();
    await database.schema
      .createTable('ledger_id_page')
      .addColumn('sequence', 'bigint', (column) => column.notNull())
      .addColumn('page', 'bigint', (column) => column.notNull())
      .addColumn('body', 'bytea', (column) => column.notNull())
      .addPrimaryKeyConstraint('ledger_id_page_key', ['sequence', 'page'])
      .execute();
  },
};

/** Tables of the ledger, on any store. */
export const LEDGER_SCHEMA: Schema = {
  tables: [
    { name: 'ledger_frame', key: ['sequence'] },
    { name: 'ledger_checkpoint', key: ['sequence'] },
    { name: 'ledger_checkpoint_part', key: ['sequence', 'part'] },
    { name: 'ledger_id_run', key: ['sequence'] },
    { name: 'ledger_id_page', key: ['sequence', 'page'] },
  ],
  migrations: [ledgerTables],
};
