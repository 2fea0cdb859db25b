import { silentLogger, systemClock, systemRandom, type Random } from '@clawbernetes/kernel';
import type { VirtualClock } from '@clawbernetes/kernel/testing';
import { MemoryDisk, openMemoryStore, openPostgresStore, type Schema } from '@clawbernetes/storage';
import type { TestPostgres } from '@clawbernetes/storage/testing';
import { ProjectorInline, ProjectorThread } from '../../src/projection/projector-thread.ts';
import type { ProjectedDisk } from './projected-ledger.ts';

interface DiskDeps {
  readonly clock: VirtualClock;
  readonly random: Random;
}

/** All in this thread, in simulated time. */
export function simulated({ clock, random }: DiskDeps): ProjectedDisk {
  const disk = new MemoryDisk({ clock, random }, { minMs: 0, maxMs: 5 });
  return {
    open: (schema) => openMemoryStore({ clock }, disk, { schema }),
    link: () => new ProjectorInline(),
    crash: async () => disk.crash(),
    turn: () => new Promise((resolve) => setImmediate(resolve)),
  };
}

/**
 * In a schema of its own of a real database, and in real threads. In a crash the server ends its connections,
 * wherever they are.
 */
export function onPostgres(postgres: TestPostgres, url: string, namespace: string): ProjectedDisk {
  const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
  return {
    open: (schema: Schema) => openPostgresStore(deps, { url, namespace, schema }),
    link: () => new ProjectorThread(),
    crash: async () => {
      const ended = `select pg_terminate_backend(pid, 5000) from pg_stat_activity
        where application_name like 'clawbernetes-%' and datname = current_database()`;
      await postgres.query(ended, url);
      // What is dead cannot give back its lease.
      await postgres.query(`update ${quoted(namespace)}.storage_writer set expires_at = '-infinity'`, url);
    },
    turn: () => new Promise((resolve) => setTimeout(resolve, 1)),
  };
}

function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}
