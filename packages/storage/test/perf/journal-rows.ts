// Prints JSON lines: rows of one blob each, as a journal writes them, on both engines: bytes and batches per
// second, what a batch costs the main thread, commit latency at an offered load, and reading all in order.
// Beside them the same bytes appended to a plain file. Arguments: engine (all, sqlite, postgres), MiB per
// measurement (default 128), bytes of a page of a new SQLite file.
import { silentLogger, systemClock, systemRandom } from '@clawbernetes/kernel';
import { openPostgresStore, openSqliteStore, type Store } from '@clawbernetes/storage';
import { startTestPostgres } from '@clawbernetes/storage/testing';
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { journalSchema } from './journal-schema.ts';

const ENGINE = process.argv[2] ?? 'all';
const TOTAL_BYTES = Number(process.argv[3] ?? 128) * 2 ** 20;
const PAGE_BYTES = Number(process.argv[4] ?? 16_384);
const SIZES = [1024, 65_536, 655_360] as const;
const MAX_ROWS = 8000;
/** Bytes submitted and not yet acknowledged. */
const BYTES_IN_FLIGHT = 16 * 2 ** 20;
/** How long a turn of a busy main thread takes: about what applying a large batch does. */
const TURN_MS = 4;

const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
let sequence = 0;

interface Bodies {
  next(): Uint8Array;
}

type Memory = 'private' | 'shared';

/** Bodies that nothing can compress, in a ring, as a writer that reuses its buffers has them. */
function bodies(size: number, memory: Memory = 'private'): Bodies {
  const count = Math.ceil((BYTES_IN_FLIGHT * 2) / size);
  const ring = Array.from({ length: count }, () => randomBody(size, memory));
  let at = 0;
  return { next: () => ring[at++ % ring.length] ?? new Uint8Array() };
}

function randomBody(size: number, memory: Memory): Uint8Array {
  const bytes = memory === 'shared' ? new Uint8Array(new SharedArrayBuffer(size)) : new Uint8Array(size);
  bytes.set(systemRandom.bytes(Math.min(size, 65_536)));
  for (let at = 65_536; at < size; at += 65_536) {
    bytes.set(systemRandom.bytes(Math.min(65_536, size - at)), at);
  }
  return bytes;
}

function submit(store: Store, body: Uint8Array): Promise<void> {
  sequence += 1;
  return store.submit([{ table: 'journal', insert: { sequence, time_ms: sequence, body } }]);
}

function percentiles(values: number[]): { p50: number; p99: number; max: number } {
  values.sort((left, right) => left - right);
  const at = (share: number): number => round(values[Math.floor(values.length * share)] ?? 0);
  return { p50: at(0.5), p99: at(0.99), max: round(values.at(-1) ?? 0) };
}

const round = (value: number): number => Math.round(value * 100) / 100;

/** As fast as it takes them. */
async function sustained(store: Store, size: number, memory?: Memory): Promise<object> {
  const source = bodies(size, memory);
  const count = Math.min(MAX_ROWS, Math.ceil(TOTAL_BYTES / size));
  const before = store.stats().transactions;
  const cpu = process.threadCpuUsage();
  const latencies: number[] = [];
  let submitted = 0;
  const startMs = performance.now();
  const submitter = async (): Promise<void> => {
    while (submitted < count) {
      submitted += 1;
      const atMs = performance.now();
      await submit(store, source.next());
      latencies.push(performance.now() - atMs);
    }
  };
  await Promise.all(Array.from({ length: Math.min(200, Math.ceil(BYTES_IN_FLIGHT / size)) }, submitter));
  const ms = performance.now() - startMs;
  const { user, system } = process.threadCpuUsage(cpu);
  return {
    mbPerSecond: round((count * size) / ms / 1000),
    batchesPerSecond: Math.round((count / ms) * 1000),
    transactions: store.stats().transactions - before,
    mainMsPerBatch: round((user + system) / 1000 / count),
    mainShare: round((user + system) / 1000 / ms),
    latencyMs: percentiles(latencies),
  };
}

/** The main thread never rests: it works a turn, submits a batch, and lets the event loop turn. */
async function besideBusyMain(store: Store, size: number): Promise<object> {
  const source = bodies(size);
  const count = Math.min(MAX_ROWS, Math.ceil(TOTAL_BYTES / size));
  const pending = new Set<Promise<void>>();
  let workedMs = 0;
  const startMs = performance.now();
  for (let index = 0; index < count; index += 1) {
    const untilMs = performance.now() + TURN_MS;
    while (performance.now() < untilMs);
    workedMs += TURN_MS;
    while (store.stats().queuedBytes > BYTES_IN_FLIGHT) await Promise.race(pending);
    const promise: Promise<void> = submit(store, source.next()).finally(() => pending.delete(promise));
    pending.add(promise);
    await nextTurn();
  }
  await Promise.all(pending);
  const ms = performance.now() - startMs;
  return { mbPerSecond: round((count * size) / ms / 1000), mainShareLost: round(1 - workedMs / ms) };
}

/** A fixed number of batches a second, whether those before are done or not. */
async function offered(store: Store, size: number, perSecond: number): Promise<object> {
  const source = bodies(size);
  const seconds = 4;
  const latencies: number[] = [];
  const pending: Promise<void>[] = [];
  const cpu = process.threadCpuUsage();
  const startMs = performance.now();
  for (let index = 0; index < seconds * perSecond; index += 1) {
    const dueMs = startMs + (index * 1000) / perSecond;
    if (performance.now() < dueMs) await pause(Math.max(1, dueMs - performance.now()));
    pending.push(submit(store, source.next()).then(() => void latencies.push(performance.now() - dueMs)));
  }
  await Promise.all(pending);
  const { user, system } = process.threadCpuUsage(cpu);
  return {
    perSecond,
    size,
    latencyMs: percentiles(latencies),
    mainShare: round((user + system) / 1e6 / seconds),
  };
}

async function alone(store: Store): Promise<object> {
  const source = bodies(200);
  const latencies: number[] = [];
  for (let index = 0; index < 500; index += 1) {
    const atMs = performance.now();
    await submit(store, source.next());
    latencies.push(performance.now() - atMs);
  }
  return percentiles(latencies);
}

async function readAll(store: Store): Promise<object> {
  const startMs = performance.now();
  const cpu = process.threadCpuUsage();
  let bytes = 0;
  let rows = 0;
  for await (const page of store.scan({ table: 'journal' })) {
    for (const row of page) bytes += (row['body'] as Uint8Array).byteLength;
    rows += page.length;
  }
  const ms = performance.now() - startMs;
  const { user, system } = process.threadCpuUsage(cpu);
  return { rows, mbPerSecond: round(bytes / ms / 1000), mainShare: round((user + system) / 1000 / ms) };
}

async function measure(engine: string, store: Store): Promise<void> {
  const print = (what: string, figures: object): void =>
    console.log(JSON.stringify({ engine, what, ...figures }));
  print('one small row at a time', await alone(store));
  for (const size of SIZES) print(`sustained ${size}`, await sustained(store, size));
  print('sustained 655360 of shared memory', await sustained(store, 655_360, 'shared'));
  print('sustained 655360 beside a busy main thread', await besideBusyMain(store, 655_360));
  for (const [transfers, perSecond] of [
    [20, 1000],
    [200, 100],
  ] as const) {
    print('20,000 transfers/s', await offered(store, transfers * 80, perSecond));
  }
  print('read all', await readAll(store));
}

/** The limit of the disk: the same bytes to a plain file, each synced. */
function plainFile(path: string): void {
  for (const [size, syncEvery] of [
    [655_360, 1],
    [655_360, 6],
    [1600, 1],
  ] as const) {
    const file = openSync(path, 'w');
    const source = bodies(size);
    const count = Math.min(1000, Math.ceil(TOTAL_BYTES / size));
    const latencies: number[] = [];
    const startMs = performance.now();
    for (let index = 0; index < count; index += 1) {
      const atMs = performance.now();
      writeSync(file, source.next());
      if (index % syncEvery === syncEvery - 1) fdatasyncSync(file);
      latencies.push(performance.now() - atMs);
    }
    const ms = performance.now() - startMs;
    closeSync(file);
    const mbPerSecond = round((count * size) / ms / 1000);
    console.log(
      JSON.stringify({ engine: 'plain file', size, syncEvery, mbPerSecond, ...percentiles(latencies) }),
    );
  }
}

const folder = await mkdtemp(join(tmpdir(), 'claw-journal-perf-'));
console.log(JSON.stringify({ cpu: cpus()[0]?.model, cores: cpus().length, node: process.version }));
plainFile(join(folder, 'plain'));
if (ENGINE !== 'postgres') {
  await using store = await openSqliteStore(deps, {
    path: join(folder, 'a.db'),
    schema: journalSchema,
    pageBytes: PAGE_BYTES,
  });
  await measure('sqlite', store);
}
await rm(folder, { recursive: true });
if (ENGINE !== 'sqlite') {
  const server = await startTestPostgres();
  if ('skipped' in server) console.log(server.skipped);
  else {
    await using _server = server;
    const url = await server.createDatabase();
    await using store = await openPostgresStore(deps, { url, schema: journalSchema });
    await measure('postgres', store);
  }
}
