import Database from 'better-sqlite3';

const TABLES = ['workload', 'attempt', 'event'] as const;
/** As many placements as a turn of the fleet may make. */
const PER_TRANSACTION = 200;

interface Insert {
  readonly statement: Database.Statement;
  readonly values: readonly unknown[];
}

/**
 * Placements per second that SQLite stores when nothing else is done: the very rows of a fleet's file into
 * another one with the same tables, in memory before, WAL and `synchronous=FULL`.
 */
export function bareSqlitePerSecond(from: string, to: string): number {
  const [source, target] = [new Database(from, { readonly: true }), new Database(to)];
  target.pragma('journal_mode = WAL');
  target.pragma('synchronous = FULL');
  const tables = TABLES.map((name) => `'${name}'`).join();
  const schema = source
    .prepare(`select sql from sqlite_master where tbl_name in (${tables}) and sql is not null`)
    .pluck()
    .all() as string[];
  for (const sql of schema) target.exec(sql);
  const [workloads = [], attempts = [], events = []] = TABLES.map((table) => inserts(source, target, table));
  const placements = attempts.length;
  const group = target.transaction((first: number) => {
    for (const all of [workloads, attempts, events]) {
      const per = Math.ceil(all.length / placements);
      const end = (first + PER_TRANSACTION) * per;
      for (const { statement, values } of all.slice(first * per, end)) statement.run(values);
    }
  });
  const startMs = performance.now();
  for (let first = 0; first < placements; first += PER_TRANSACTION) group(first);
  const perSecond = (placements * 1000) / (performance.now() - startMs);
  source.close();
  target.close();
  return perSecond;
}

function inserts(source: Database.Database, target: Database.Database, table: string): readonly Insert[] {
  const select = source.prepare(`select * from ${table} where ${OF_PLACEMENTS[table] ?? 'true'}`).raw();
  const rows = select.all() as unknown[][];
  const places = rows[0]?.map(() => '?').join() ?? '';
  const statement = target.prepare(`insert into ${table} values (${places})`);
  return rows.map((values) => ({ statement, values }));
}

/** Not those of nodes that join, nor of workloads that wait. */
const OF_PLACEMENTS: Readonly<Record<string, string>> = {
  workload: "state = 'reserved'",
  event: 'subject in (select workload_id from attempt)',
};
