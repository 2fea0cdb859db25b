import type { Schema } from '../schema.ts';

/** Tables of every column kind, a two-part key and an integer key. */
export const testSchema: Schema = {
  tables: [
    { name: 'item', key: ['id'] },
    { name: 'event', key: ['stream', 'sequence'] },
    { name: 'record', key: ['sequence'] },
  ],
  migrations: [
    {
      name: 'test-0001-item',
      async up(database) {
        await database.schema
          .createTable('item')
          .addColumn('id', 'text', (column) => column.primaryKey().notNull())
          .addColumn('state', 'text', (column) => column.notNull())
          .addColumn('revision', 'bigint', (column) => column.notNull())
          .addColumn('weight', 'double precision')
          .addColumn('body', 'bytea')
          .execute();
      },
    },
    {
      name: 'test-0002-event',
      async up(database) {
        await database.schema
          .createTable('event')
          .addColumn('stream', 'text', (column) => column.notNull())
          .addColumn('sequence', 'bigint', (column) => column.notNull())
          .addColumn('body', 'text')
          .addPrimaryKeyConstraint('event_key', ['stream', 'sequence'])
          .execute();
      },
    },
    {
      name: 'test-0002-record',
      async up(database) {
        await database.schema
          .createTable('record')
          .addColumn('sequence', 'bigint', (column) => column.primaryKey().notNull())
          .addColumn('time_ms', 'bigint', (column) => column.notNull())
          .addColumn('body', 'bytea')
          .addColumn('note', 'text')
          .addColumn('share', 'double precision')
          .execute();
      },
    },
  ],
};
