import { execFile } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import Database from 'better-sqlite3';

const run = promisify(execFile);

/** TPC-B transactions of pgbench per second, with eight clients; undefined where it is not installed. */
export async function pgbenchTps(url: string, seconds: number): Promise<number | undefined> {
  const [program] = [...globSync('/usr/lib/postgresql/*/bin/pgbench'), '/usr/bin/pgbench'].filter(existsSync);
  if (program === undefined) return undefined;
  await run(program, ['--initialize', '--quiet', '--scale', '10', url]);
  const { stdout } = await run(program, ['--client', '8', '--jobs', '2', '--time', String(seconds), url]);
  return Number(/tps = ([\d.]+)/.exec(stdout)?.[1]);
}

/**
 * Transfers per second of the plain way: a row for each in SQLite, balances updated beside it, a hundred in
 * one transaction, WAL and `synchronous=FULL`.
 */
export function sqliteRowsPerSecond(folder: string, transfers: number): number {
  const database = new Database(path.join(folder, 'rows.sqlite'));
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  database.exec('create table account (id integer primary key, balance integer not null)');
  database.exec(
    'create table transfer (id integer primary key, debit integer, credit integer, amount integer)',
  );
  const open = database.prepare('insert into account values (?, 0)');
  database.transaction(() => {
    for (let id = 0; id < 10_000; id += 1) open.run(id);
  })();
  const insert = database.prepare('insert into transfer values (?, ?, ?, ?)');
  const pay = database.prepare('update account set balance = balance + ? where id = ?');
  const batch = database.transaction((first: number) => {
    for (let id = first; id < first + 100; id += 1) {
      const [debit, credit, amount] = [(id * 7919) % 10_000, (id * 104_729) % 10_000, 1 + (id % 1000)];
      insert.run(id, debit, credit, amount);
      pay.run(-amount, debit);
      pay.run(amount, credit);
    }
  });
  const startMs = performance.now();
  for (let first = 0; first < transfers; first += 100) batch(first);
  const perSecond = (transfers * 1000) / (performance.now() - startMs);
  database.close();
  return perSecond;
}
