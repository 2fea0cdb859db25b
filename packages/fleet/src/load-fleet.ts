import type { Clock } from '@clawbernetes/kernel';
import { hasEnded } from '@clawbernetes/protocol';
import type { Row, Store } from '@clawbernetes/storage';
import type { FleetCore } from './fleet-core.ts';
import { readJoinToken, type JoinTokenRecord } from './node/join-tokens.ts';
import { readAttempt, readNode, readWorkload } from './rows.ts';

/**
 * A row has a specification of up to 128 KiB, an entry a value of up to 256 KiB; an answer has at most 32
 * MiB.
 */
const PAGE_ROWS = 200;
const CONFIG_PAGE_ROWS = 100;

/** What the store holds of a fleet. */
export interface FleetRows {
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly config: readonly Row[];
  readonly tokens: readonly JoinTokenRecord[];
  /** Puts nodes, workloads and attempts into the tables. */
  readonly fill: (core: FleetCore) => void;
}

/**
 * Reads the fleet back after a start. Every node begins as suspect with a full lease: the silence before was
 * ours, not theirs, so nobody's work is given up for it.
 */
export async function loadFleet(store: Store, clock: Clock): Promise<FleetRows> {
  const [nodes, workloads, attempts, tokens, config] = [
    await readTable(store, 'node'),
    await readTable(store, 'workload'),
    await readTable(store, 'attempt'),
    await readTable(store, 'join_token'),
    await readConfig(store),
  ];
  const [first, last] = [await edge(store, 'asc'), await edge(store, 'desc')];
  return {
    firstSequence: first,
    lastSequence: last,
    config,
    tokens: tokens.map((row) => readJoinToken(row)),
    fill: (core) => {
      for (const row of nodes) {
        const node = readNode(row);
        core.nodes.put(node);
        const presence = { lastSeenMs: clock.monotonicMs(), lastSeenAtMs: clock.nowMs() };
        core.nodes.setPresence(node.id, { connectivity: 'suspect', ...presence });
      }
      for (const row of workloads) core.workloads.putWorkload(readWorkload(row));
      for (const row of attempts) core.workloads.putAttempt(readAttempt(row));
      for (const workload of core.workloads.workloads()) {
        if (!hasEnded(workload.state) && !core.workloads.latestAttempt(workload.id))
          core.pending.add(workload);
      }
    },
  };
}

/** A whole table in the order of its ids, page by page: the store bounds its answers. */
async function readTable(
  store: Store,
  table: 'node' | 'workload' | 'attempt' | 'join_token',
): Promise<Row[]> {
  const rows: Row[] = [];
  for (let after = ''; ;) {
    const select = store.rows.selectFrom(table).selectAll().where('id', '>', after);
    const page: Row[] = await select.orderBy('id').limit(PAGE_ROWS).execute();
    rows.push(...page);
    if (page.length < PAGE_ROWS) return rows;
    after = String(page.at(-1)?.['id']);
  }
}

async function readConfig(store: Store): Promise<Row[]> {
  const rows: Row[] = [];
  for (;;) {
    const select = store.rows.selectFrom('config_entry').selectAll().orderBy('namespace').orderBy('key');
    const page: Row[] = await select.orderBy('version').limit(CONFIG_PAGE_ROWS).offset(rows.length).execute();
    rows.push(...page);
    if (page.length < CONFIG_PAGE_ROWS) return rows;
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
