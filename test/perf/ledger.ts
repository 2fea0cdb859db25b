// Durable two-phase transfers: one is its pending and its post. Embedded (SQLite) and through PostgreSQL,
// beside pgbench's TPC-B and a row per transfer in SQLite on the same machine.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { silentLogger, systemClock, systemRandom } from '@clawbernetes/kernel';
import { HISTORY_SCHEMA, LEDGER_SCHEMA, Projection, type Ledger } from '@clawbernetes/ledger';
import { joinSchemas, openPostgresStore, openSqliteStore, type Store } from '@clawbernetes/storage';
import { startTestPostgres } from '@clawbernetes/storage/testing';
import type { BenchmarkOptions, BenchmarkReport, Figures } from '../../tools/bench/benchmark.ts';
import {
  assertBooked,
  book,
  MAX_BATCH_ITEMS,
  openAccounts,
  openLedger,
  TransferLoad,
  type LoadOptions,
} from './support/ledger-load.ts';
import { pgbenchTps, sqliteRowsPerSecond } from './support/ledger-peers.ts';
import { median, percentile, round } from './support/statistics.ts';

const SCHEMA = joinSchemas([LEDGER_SCHEMA, HISTORY_SCHEMA]);
/** Offered while latency is measured: two-phase transfers per second, and how many of them come at once. */
const OFFERED_PER_SECOND = 20_000;
const OFFERED_BATCH = 100;
/**
 * Two-phase transfers that are made at a time: 79 MB. Fewer, and what is measured is how a part begins and
 * ends.
 */
const PART_TRANSFERS = 60 * MAX_BATCH_ITEMS;

interface Sizes {
  readonly rounds: number;
  /** Full batches of a round. */
  readonly pairs: number;
  readonly latencySeconds: number;
  readonly peerSeconds: number;
  readonly restartTransfers: number;
}

const SMALL: Sizes = { rounds: 1, pairs: 6, latencySeconds: 1, peerSeconds: 1, restartTransfers: 100_000 };
/** LEDGER_TRANSFERS=50000000 is the long run: some minutes, and eight gigabytes. */
const LONG = Number(process.env['LEDGER_TRANSFERS'] ?? 10_000_000);
const FULL: Sizes = { rounds: 5, pairs: 120, latencySeconds: 20, peerSeconds: 10, restartTransfers: LONG };

export default async function measure({ small, log }: BenchmarkOptions): Promise<BenchmarkReport> {
  const sizes = small ? SMALL : FULL;
  const embedded = await inFolder((folder) => embeddedFigures(folder, sizes, log));
  const postgres = await postgresFigures(sizes, log);
  log('peers');
  const rows = await inFolder(async (folder) => sqliteRowsPerSecond(folder, small ? 5_000 : 200_000));
  const { restartSeconds, commitMs, transfersPerSecond, ...rest } = embedded;
  return {
    results: {
      embedded: { transfersPerSecond, ...rest },
      postgres: postgres.figures,
      commitMs,
      restartSeconds,
    },
    peers: { pgbenchTps: postgres.pgbench, sqliteRowsPerSecond: round(rows, 0) },
    ratios: { ofSqliteRows: round(transfersPerSecond / rows) },
  };
}

/** Files go before the next part begins: what the disk still has to write of them would weigh on it. */
async function inFolder<Figure>(measurePart: (folder: string) => Promise<Figure>): Promise<Figure> {
  const folder = await mkdtemp(path.join(tmpdir(), 'claw-ledger-'));
  try {
    return await measurePart(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function embeddedFigures(folder: string, sizes: Sizes, log: (line: string) => void) {
  const file = (name: string): Promise<Store> =>
    openSqliteStore(
      { clock: systemClock, logger: silentLogger },
      { path: path.join(folder, `${name}.sqlite`), schema: SCHEMA, pageBytes: 16_384 },
    );
  log('embedded: full batches');
  const figures = await throughput(() => file('rates'), sizes);
  log(`embedded: ${OFFERED_PER_SECOND} transfers/s offered`);
  const commitMs = await latency(await file('latency'), sizes);
  log(`embedded: ${sizes.restartTransfers} transfers with their history, then a restart`);
  const { restartSeconds, longRun: long } = await longRun(() => file('restart'), sizes);
  return { ...figures, longRun: long, commitMs, restartSeconds };
}

async function postgresFigures(
  sizes: Sizes,
  log: (line: string) => void,
): Promise<{ readonly figures: Figures | null; readonly pgbench: number | null }> {
  const server = await startTestPostgres();
  if ('skipped' in server) {
    log(`PostgreSQL: ${server.skipped}`);
    return { figures: null, pgbench: null };
  }
  await using postgres = server;
  const database = await postgres.createDatabase();
  const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
  log('PostgreSQL: full batches');
  const open = (url: string): Promise<Store> => openPostgresStore(deps, { url, schema: SCHEMA });
  const figures = await throughput(() => open(database), sizes);
  log(`PostgreSQL: ${OFFERED_PER_SECOND} transfers/s offered`);
  const commitMs = await latency(await open(await postgres.createDatabase()), sizes);
  log('PostgreSQL: pgbench');
  const pgbench = await pgbenchTps(await postgres.createDatabase(), sizes.peerSeconds);
  return { figures: { ...figures, commitMs }, pgbench: pgbench === undefined ? null : round(pgbench, 0) };
}

/** Transfers per second: in full batches, in small ones, all into one account, and signed. */
async function throughput(open: () => Promise<Store>, sizes: Sizes) {
  await using store = await open();
  await using ledger = await openLedger(store);
  await openAccounts(ledger);
  const load = new TransferLoad();
  const rate = async (pairs: number, options: LoadOptions): Promise<number> => {
    const bookedMs = await bookParts(ledger, load, { ...options, pairs });
    return (pairs * options.batch * 1000) / bookedMs;
  };
  await rate(Math.ceil(sizes.pairs / 4), { batch: MAX_BATCH_ITEMS });
  const [spread, hot]: [number[], number[]] = [[], []];
  for (let round_ = 0; round_ < sizes.rounds; round_ += 1) {
    // In turns, so that whatever else the machine does hits both.
    spread.push(await rate(sizes.pairs, { batch: MAX_BATCH_ITEMS }));
    hot.push(await rate(sizes.pairs, { batch: MAX_BATCH_ITEMS, hot: true }));
  }
  const signed = await rate(Math.ceil(sizes.pairs / 4), { batch: MAX_BATCH_ITEMS, signed: true });
  const batches: Record<string, number> = {};
  for (const batch of [1, 10, 100, 1000]) {
    const pairs = Math.ceil((sizes.pairs * 40) / Math.sqrt(batch));
    batches[`of${batch}PerSecond`] = round(await rate(pairs, { batch }), 0);
  }
  const transfersPerSecond = round(median(spread), 0);
  return {
    transfersPerSecond,
    hotAccountPerSecond: round(median(hot), 0),
    hotAccountLossPercent: round(100 * (1 - median(hot) / median(spread))),
    signedTransfersPerSecond: round(signed, 0),
    batches,
  };
}

/**
 * Books pairs, made a part at a time and not timed: requests come from a socket and are warm, as a gigabyte
 * made in advance would not be. @returns ms.
 */
async function bookParts(
  ledger: Ledger,
  load: TransferLoad,
  { pairs, ...options }: LoadOptions & { readonly pairs: number },
  afterPart: () => void = () => undefined,
): Promise<number> {
  const most = Math.max(1, Math.floor(PART_TRANSFERS / options.batch));
  let bookedMs = 0;
  for (let left = pairs; left > 0; left -= most) {
    bookedMs += await book(ledger, load.pairs(Math.min(most, left), options));
    afterPart();
  }
  return bookedMs;
}

/** How long a request takes to be durable while so much is offered, whether or not it is done in time. */
async function latency(opened: Store, sizes: Sizes): Promise<{ p50: number; p99: number; max: number }> {
  await using store = opened;
  await using ledger = await openLedger(store);
  await openAccounts(ledger);
  const load = new TransferLoad();
  const took: number[] = [];
  const timed = async (work: Promise<Uint8Array>): Promise<void> => {
    const startMs = performance.now();
    assertBooked(await work);
    took.push(performance.now() - startMs);
  };
  const everyMs = (1000 * OFFERED_BATCH) / OFFERED_PER_SECOND;
  const onTheWay: Promise<void>[] = [];
  const startMs = performance.now();
  for (let tick = 0; tick * everyMs < sizes.latencySeconds * 1000; tick += 1) {
    const { pending, post } = load.pair({ batch: OFFERED_BATCH });
    const waitMs = startMs + tick * everyMs - performance.now();
    if (waitMs > 0) await pause(waitMs);
    onTheWay.push(timed(ledger.submit(pending)).then(() => timed(ledger.submit(post))));
  }
  await Promise.all(onTheWay);
  const after = took.slice(Math.floor(took.length / 10));
  const at = (share: number): number => round(percentile(after, share), 2);
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

/** Books so many transfers with their history, and reads it all back. */
async function longRun(open: () => Promise<Store>, { restartTransfers: transfers }: Sizes) {
  const load = new TransferLoad();
  let [bookedMs, maxLagMovements] = [0, 0];
  {
    await using store = await open();
    await using projection = await Projection.open({ store, logger: silentLogger });
    await using ledger = await openLedger(store, projection);
    await openAccounts(ledger);
    const pairs = Math.ceil(transfers / MAX_BATCH_ITEMS);
    bookedMs = await bookParts(ledger, load, { pairs, batch: MAX_BATCH_ITEMS }, () => {
      maxLagMovements = Math.max(maxLagMovements, projection.lag().movements);
    });
  }
  const startMs = performance.now();
  await using store = await open();
  await using projection = await Projection.open({ store, logger: silentLogger });
  await using ledger = await openLedger(store, projection);
  await ledger.account(1n);
  const restartSeconds = round((performance.now() - startMs) / 1000, 2);
  const withHistoryPerSecond = round((transfers * 1000) / bookedMs, 0);
  return { restartSeconds, longRun: { transfers, withHistoryPerSecond, maxLagMovements } };
}
