import { silentLogger, systemClock, systemRandom } from '@clawbernetes/kernel';
import { LEDGER_SCHEMA } from '@clawbernetes/ledger';
import { openPostgresStore, openSqliteStore, type Store } from '@clawbernetes/storage';

/** Short, so that a test of two writers need not wait long. */
const LEASE_MS = 2000;

/** A store by its place: the URL of a PostgreSQL database, or the path of a file. */
export function openLedgerStore(place: string, waitMs = 20_000): Promise<Store> {
  const deps = { clock: systemClock, logger: silentLogger, random: systemRandom };
  if (!place.startsWith('postgres:')) return openSqliteStore(deps, { path: place, schema: LEDGER_SCHEMA });
  const lease = { leaseMs: LEASE_MS, waitMs };
  return openPostgresStore(deps, { url: place, schema: LEDGER_SCHEMA, ...lease });
}
