import { errorCode, type Clock } from '@clawbernetes/kernel';
import { hasEnded } from '@clawbernetes/protocol';
import type { Row, Store } from '@clawbernetes/storage';
import type { FleetCore } from './fleet-core.ts';
import { readJoinToken, type JoinTokenRecord } from './node/join-tokens.ts';
import type { AttemptRecord, WorkloadRecord } from './records.ts';
import { readAttempt, readNode, workloadReader } from './rows.ts';
import { wait } from './workload/policy/begin-anew.ts';

/** Rows asked for at once; fewer where they are so large that the store would not answer that many. */
const PAGE_ROWS = 2000;

/** What the store holds of a fleet. */
export interface FleetRows {
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly config: readonly Row[];
  readonly queues: readonly Row[];
  readonly reservations: readonly Row[];
  readonly tokens: readonly JoinTokenRecord[];
  /** Puts nodes, workloads and attempts into the tables. */
  readonly fill: (core: FleetCore) => void;
}

/**
 * Reads the fleet back after a start. Every node begins as suspect with a full lease: the silence before was
 * ours, not theirs, so nobody's work is given up for it.
 */
export async function loadFleet(store: Store, clock: Clock): Promise<FleetRows> {
  // While one table is read, what was read of another is made into records.
  const [nodes, workloads, attempts, tokens, config, queues, reservations] = await Promise.all([
    readTable(store, 'node', readNode),
    readTable(store, 'workload', workloadReader()),
    readTable(store, 'attempt', readAttempt),
    readTable(store, 'join_token', readJoinToken),
    readConfig(store),
    readQueues(store),
    readReservations(store),
  ]);
  const [first, last] = [await edge(store, 'asc'), await edge(store, 'desc')];
  return {
    firstSequence: first,
    lastSequence: last,
    config,
    queues,
    reservations,
    tokens,
    fill: (core) => {
      for (const node of nodes) {
        core.nodes.put(node);
        const presence = { lastSeenMs: clock.monotonicMs(), lastSeenAtMs: clock.nowMs() };
        core.nodes.setPresence(node.id, { connectivity: 'suspect', reconciled: false, ...presence });
      }
      for (const workload of workloads) core.workloads.putWorkload(workload);
      // Ids follow the wall clock, which may have gone back between two attempts of a workload.
      const inOrder = attempts.toSorted((left, right) => left.number - right.number);
      for (const attempt of inOrder) core.workloads.putAttempt(attempt);
      for (const workload of core.workloads.workloads()) {
        if (!hasEnded(workload.state) && waits(workload, core.workloads.latestAttempt(workload.id)))
          wait(core, workload);
      }
    },
  };
}

function waits(workload: WorkloadRecord, latest: AttemptRecord | undefined): boolean {
  if (workload.gang) return workload.gang.phase === 'released';
  return latest === undefined || workload.waitsAfter === latest.number;
}

/** A whole table in the order of its ids, page by page: the store bounds its answers. */
function readTable<RecordOfRow extends { readonly id: string }>(
  store: Store,
  table: 'node' | 'workload' | 'attempt' | 'join_token',
  read: (row: Row) => RecordOfRow,
): Promise<RecordOfRow[]> {
  const select = store.rows.selectFrom(table).selectAll().orderBy('id');
  return readPages(async (limit, records: readonly RecordOfRow[]) => {
    const page = await select
      .where('id', '>', records.at(-1)?.id ?? '')
      .limit(limit)
      .execute();
    return page.map(read);
  });
}

async function readQueues(store: Store): Promise<Row[]> {
  const select = store.rows.selectFrom('queue').selectAll().orderBy('queue');
  return readPages((limit, rows) => select.limit(limit).offset(rows.length).execute());
}

async function readReservations(store: Store): Promise<Row[]> {
  const select = store.rows.selectFrom('reservation').selectAll().orderBy('name');
  return readPages((limit, rows) => select.limit(limit).offset(rows.length).execute());
}

async function readConfig(store: Store): Promise<Row[]> {
  const select = store.rows.selectFrom('config_entry').selectAll();
  const ordered = select.orderBy('namespace').orderBy('key').orderBy('version');
  return readPages((limit, rows) => ordered.limit(limit).offset(rows.length).execute());
}

/** All records of a query that goes on after those read so far. */
async function readPages<RecordOfRow>(
  read: (limit: number, records: readonly RecordOfRow[]) => Promise<RecordOfRow[]>,
): Promise<RecordOfRow[]> {
  const records: RecordOfRow[] = [];
  for (let limit = PAGE_ROWS; ;) {
    try {
      const page = await read(limit, records);
      for (const record of page) records.push(record);
      if (page.length < limit) return records;
    } catch (error) {
      if (errorCode(error) !== 'storage-rejected' || limit === 1) throw error;
      limit = Math.ceil(limit / 2);
    }
  }
}

async function edge(store: Store, direction: 'asc' | 'desc'): Promise<number> {
  const row = await store.rows
    .selectFrom('event')
    .select('sequence')
    .orderBy('sequence', direction)
    .limit(1)
    .executeTakeFirst();
  return Number(row?.['sequence'] ?? 0);
}
