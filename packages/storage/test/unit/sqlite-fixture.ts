import { silentLogger, systemClock } from '@clawbernetes/kernel';
import { openSqliteStore } from '@clawbernetes/storage';
import type { StoreFixture } from '@clawbernetes/storage/testing';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface SqliteFixture extends StoreFixture {
  readonly folder: string;
  readonly path: string;
}

/** A file in a fresh folder that goes away with the fixture. */
export async function openSqliteFixture(): Promise<SqliteFixture> {
  const folder = await mkdtemp(join(tmpdir(), 'claw-storage-'));
  const path = join(folder, 'state', 'fleet.db');
  return {
    folder,
    path,
    open: (schema, limits = {}) =>
      openSqliteStore({ clock: systemClock, logger: silentLogger }, { ...limits, path, schema }),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}
