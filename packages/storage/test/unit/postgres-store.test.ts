// Shows that the PostgreSQL store passes the store suite on a real server.
import { silentLogger, systemClock, systemRandom } from '@clawbernetes/kernel';
import { openPostgresStore } from '@clawbernetes/storage';
import { startTestPostgres, storeSuite, type StoreFixture } from '@clawbernetes/storage/testing';
import { afterAll } from 'vitest';

const server = await startTestPostgres();
if (!('skipped' in server)) afterAll(() => server[Symbol.asyncDispose]());

async function openFixture(): Promise<StoreFixture> {
  if ('skipped' in server) throw new Error(server.skipped);
  const url = await server.createDatabase();
  const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
  return {
    open: (schema, limits = {}) =>
      openPostgresStore(deps, { ...limits, url, schema, leaseMs: 5000, waitMs: 0 }),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

storeSuite('PostgreSQL', openFixture, { skipped: 'skipped' in server ? server.skipped : undefined });
