import type { Schema } from '@clawbernetes/storage';

/** A journal: a number, a time and a body. */
export const journalSchema: Schema = {
  tables: [{ name: 'journal', key: ['sequence'] }],
  migrations: [
    {
      name: 'perf-0001-journal',
      async up(database) {
        await database.schema
          .createTable('journal')
          .addColumn('sequence', 'bigint', (column) => column.primaryKey().notNull())
          .addColumn('time_ms', 'bigint', (column) => column.notNull())
          .addColumn('body', 'bytea', (column) => column.notNull())
          .execute();
      },
    },
  ],
};
