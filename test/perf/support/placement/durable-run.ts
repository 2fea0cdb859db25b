import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fleetSchema } from '@clawbernetes/fleet';
import { assert, silentLogger, systemClock } from '@clawbernetes/kernel';
import { openSqliteStore, type Row, type Store } from '@clawbernetes/storage';
import type { DurableOptions } from './durable-main.ts';

const PAGE_ROWS = 5000;
/** As `claw-gateway` gives itself. */
const FLAGS = ['--max-semi-space-size=64'];

export interface DurableRun extends DurableOptions {
  /** Placements before the rate is taken, and until the process is killed. */
  readonly warmUp: number;
  readonly until: number;
}

export interface DurableFigures {
  readonly perSecond: number;
  /** Said to be durable before the kill. */
  readonly acknowledged: number;
  /** In the store that was opened again. */
  readonly recounted: number;
}

/** Places work in a process of its own, kills it in the midst of it, and counts what is in its store. */
export async function durableRun({ warmUp, until, ...options }: DurableRun): Promise<DurableFigures> {
  const main = path.join(import.meta.dirname, 'durable-main.ts');
  const child = spawn(process.execPath, [...process.execArgv, ...FLAGS, main, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const gone = once(child, 'exit');
  const said: { readonly placed: number; readonly atMs: number }[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const [placed = 0, atMs = 0] = line.split(' ').map(Number);
    said.push({ placed, atMs });
    if (placed >= until) child.kill('SIGKILL');
  }
  await gone;
  const first = said.find(({ placed }) => placed >= warmUp);
  const last = said.at(-1);
  assert(first !== undefined && last !== undefined && last.placed >= until, 'the process placed enough');
  const recounted = await recount(options.path);
  assert(last.placed <= recounted, 'what was acknowledged is stored');
  const perSecond = ((last.placed - first.placed) * 1000) / (last.atMs - first.atMs);
  return { perSecond, acknowledged: last.placed, recounted };
}

/**
 * Placements with all that belongs to them: one attempt, its workload, its event with the decision's trace.
 */
async function recount(file: string): Promise<number> {
  await using store = await openSqliteStore(
    { clock: systemClock, logger: silentLogger },
    { path: file, schema: fleetSchema },
  );
  const reserved = new Set<string>();
  for await (const row of rowsById(store, 'workload')) {
    if (row['state'] === 'reserved') reserved.add(String(row['id']));
  }
  const decided = await decidedWorkloads(store);
  const [placed, devices] = [new Set<string>(), new Set<string>()];
  let given = 0;
  for await (const row of rowsById(store, 'attempt')) {
    const workload = String(row['workload_id']);
    assert(!placed.has(workload), 'a workload is placed once');
    assert(reserved.has(workload) && decided.has(workload), 'a placement is stored as a whole');
    placed.add(workload);
    const attempt = JSON.parse(String(row['data'])) as { readonly devices: readonly string[] };
    for (const device of attempt.devices) devices.add(device);
    given += attempt.devices.length;
  }
  assert(devices.size === given, 'no GPU is given twice');
  assert(reserved.size === placed.size && decided.size === placed.size, 'nothing is stored in part');
  return placed.size;
}

async function decidedWorkloads(store: Store): Promise<ReadonlySet<string>> {
  const decided = new Set<string>();
  for await (const page of store.scan({ table: 'event' })) {
    for (const { type, subject, facts } of page) {
      if (type !== 'attempt.placed') continue;
      const trace = JSON.parse(String(facts)) as Record<string, unknown>;
      assert('candidates' in trace && 'cost' in trace, 'a placement says over what it was chosen');
      decided.add(String(subject));
    }
  }
  return decided;
}

async function* rowsById(store: Store, table: 'workload' | 'attempt'): AsyncGenerator<Row> {
  for (let last = ''; ;) {
    const select = store.rows.selectFrom(table).selectAll().orderBy('id').where('id', '>', last);
    const rows: Row[] = await select.limit(PAGE_ROWS).execute();
    yield* rows;
    if (rows.length < PAGE_ROWS) return;
    last = String(rows.at(-1)?.['id']);
  }
}
