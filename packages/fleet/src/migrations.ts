import type { Schema } from '@clawbernetes/storage';

type Database = Parameters<Schema['migrations'][number]['up']>[0];

async function createWorkloadTables(database: Database): Promise<void> {
  await database.schema
    .createTable('workload')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('namespace', 'text')
    .addColumn('name', 'text')
    .addColumn('state', 'text')
    .addColumn('spec', 'text')
    .addColumn('data', 'text')
    .execute();
  await database.schema
    .createTable('attempt')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('workload_id', 'text')
    .addColumn('namespace', 'text')
    .addColumn('state', 'text')
    .addColumn('data', 'text')
    .execute();
}

async function createNodeTables(database: Database): Promise<void> {
  await database.schema
    .createTable('node')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('name', 'text')
    .addColumn('data', 'text')
    .execute();
  await database.schema
    .createTable('join_token')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('secret_hash', 'text')
    .addColumn('approve', 'bigint')
    .addColumn('expires_at_ms', 'bigint')
    .execute();
}

async function createEventAndConfigTables(database: Database): Promise<void> {
  await database.schema
    .createTable('event')
    .addColumn('sequence', 'bigint', (column) => column.primaryKey())
    .addColumn('time_ms', 'bigint')
    .addColumn('namespace', 'text')
    .addColumn('type', 'text')
    .addColumn('subject', 'text')
    .addColumn('cause', 'text')
    .addColumn('message', 'text')
    .addColumn('facts', 'text')
    .execute();
  await database.schema.createIndex('event_subject').on('event').columns(['subject', 'sequence']).execute();
  await database.schema
    .createTable('config_entry')
    .addColumn('namespace', 'text')
    .addColumn('key', 'text')
    .addColumn('version', 'bigint')
    .addColumn('value', 'text')
    .addColumn('updated_at_ms', 'bigint')
    .addPrimaryKeyConstraint('config_entry_key', ['namespace', 'key', 'version'])
    .execute();
}

async function createQueueTable(database: Database): Promise<void> {
  await database.schema
    .createTable('queue')
    .addColumn('queue', 'text', (column) => column.primaryKey())
    .addColumn('data', 'text')
    .execute();
}

async function createReservationTable(database: Database): Promise<void> {
  await database.schema
    .createTable('reservation')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('data', 'text')
    .execute();
}

/** The fleet's tables; migrations only go forward and are never edited once released. */
export const fleetSchema: Schema = {
  tables: [
    { name: 'workload', key: ['id'] },
    { name: 'attempt', key: ['id'] },
    { name: 'node', key: ['id'] },
    { name: 'join_token', key: ['id'] },
    { name: 'event', key: ['sequence'] },
    { name: 'config_entry', key: ['namespace', 'key', 'version'] },
    { name: 'queue', key: ['queue'] },
    { name: 'reservation', key: ['name'] },
  ],
  migrations: [
    { name: 'fleet-0001-workloads', up: createWorkloadTables },
    { name: 'fleet-0002-nodes', up: createNodeTables },
    { name: 'fleet-0003-events-and-config', up: createEventAndConfigTables },
    { name: 'fleet-0004-queues', up: createQueueTable },
    { name: 'fleet-0005-reservations', up: createReservationTable },
  ],
};
