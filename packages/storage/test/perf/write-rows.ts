// Prints one JSON line: durable rows and commits per second for batches of 1, 100 and 1000 rows, many in
// flight, on both engines, beside plain better-sqlite3 loops with the same pragmas. Argument: rows per
// measurement (default 20,000).
import { silentLogger, systemClock, systemRandom } from '@clawbernetes/kernel';
import { openPostgresStore, openSqliteStore, type RowChange, type Store } from '@clawbernetes/storage';
import { startTestPostgres, testSchema } from '@clawbernetes/storage/testing';
import Database from 'better-sqlite3';
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';

const ROWS = Number(process.argv[2] ?? 20_000);
const SIZES = [1, 100, 1000] as const;
/** Rows submitted and not yet acknowledged. */
const ROWS_IN_FLIGHT = 4000;
const BODY = 'x'.repeat(120);

interface Rate {
  readonly rowsPerSecond: number;
  readonly commitsPerSecond: number;
}

const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };

async function measureStore(store: Store, engine: string): Promise<Record<string, Rate>> {
  const rates: Record<string, Rate> = {};
  rates['single, one at a time'] = await measure(store, {
    stream: `${engine}-0`,
    size: 1,
    inFlight: 1,
    rows: ROWS / 20,
  });
  for (const size of SIZES) {
    const inFlight = Math.ceil(ROWS_IN_FLIGHT / size);
    rates[`batches of ${size}`] = await measure(store, {
      stream: `${engine}-${size}`,
      size,
      inFlight,
      rows: ROWS,
    });
  }
  return rates;
}

async function measure(
  store: Store,
  { stream, size, inFlight, rows }: { stream: string; size: number; inFlight: number; rows: number },
): Promise<Rate> {
  let next = 0;
  const before = store.stats().transactions;
  const startMs = performance.now();
  const submitter = async (): Promise<void> => {
    while (next < rows) {
      const first = next;
      next += size;
      await store.submit(Array.from({ length: size }, (_, index) => event(stream, first + index)));
    }
  };
  await Promise.all(Array.from({ length: inFlight }, submitter));
  return rate(startMs, next, store.stats().transactions - before);
}

function event(stream: string, sequence: number): RowChange {
  return { table: 'event', insert: { stream, sequence, body: BODY } };
}

function rate(startMs: number, rows: number, commits: number): Rate {
  const seconds = (performance.now() - startMs) / 1000;
  return { rowsPerSecond: Math.round(rows / seconds), commitsPerSecond: Math.round(commits / seconds) };
}

/** The peer: the same rows in the same thread, one transaction per batch, nothing else to do. */
function measurePlain(path: string): Record<string, Rate> {
  const database = new Database(path);
  database.pragma('locking_mode = EXCLUSIVE');
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  database.exec(
    'create table event (stream text, sequence bigint, body text, primary key (stream, sequence))',
  );
  const insert = database.prepare('insert into event values (?, ?, ?)');
  const rates = SIZES.map((size) => {
    const batch = database.transaction((first: number) => {
      for (let index = 0; index < size; index += 1) insert.run(`plain-${size}`, first + index, BODY);
    });
    const rows = size === 1 ? ROWS / 10 : ROWS;
    const startMs = performance.now();
    for (let first = 0; first < rows; first += size) batch(first);
    return [`batches of ${size}`, rate(startMs, rows, rows / size)] as const;
  });
  database.close();
  return Object.fromEntries(rates);
}

const folder = await mkdtemp(join(tmpdir(), 'claw-storage-perf-'));
const results: Record<string, unknown> = {};
{
  await using store = await openSqliteStore(deps, { path: join(folder, 'fleet.db'), schema: testSchema });
  results['sqlite'] = await measureStore(store, 'sqlite');
}
const peers = { betterSqlite3: measurePlain(join(folder, 'plain.db')) };
const server = await startTestPostgres();
if ('skipped' in server) results['postgres'] = server.skipped;
else {
  await using _server = server;
  await using store = await openPostgresStore(deps, {
    url: await server.createDatabase(),
    schema: testSchema,
  });
  results['postgres'] = await measureStore(store, 'postgres');
}
await rm(folder, { recursive: true });
const machine = { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, node: process.version };
console.log(JSON.stringify({ name: 'storage', machine, results, peers }));
