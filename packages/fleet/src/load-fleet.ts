import type { Clock } from '@clawbernetes/kernel';
import { hasEnded } from '@clawbernetes/protocol';
import type { Row, Store } from '@clawbernetes/storage';
import type { FleetCore } from './fleet-core.ts';
import { readJoinToken, type JoinTokenRecord } from './node/join-tokens.ts';
import { readAttempt, readNode, readWorkload } from './rows.ts';

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
 * Reads the fleet back after a start. Every node begins as suspect with a full lease: the silence before was ours, not
 * theirs, so nobody's work is given up for it.
 */
export async function loadFleet(store: Store, clock: Clock): Promise<FleetRows> {
  const all = (table: string, order: string): Promise<Row[]> =>
    store.rows.selectFrom(table).selectAll().orderBy(order).execute();
  const [nodes, workloads, attempts, tokens, config] = [
    await all('node', 'id'),
    await all('workload', 'id'),
    await all('attempt', 'id'),
    await all('join_token', 'id'),
    await all('config_entry', 'key'),
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

async function edge(store: Store, direction: 'asc' | 'desc'): Promise<number> {
  const row = await store.rows
    .selectFrom('event')
    .select('sequence')
    .orderBy('sequence', direction)
    .limit(1)
    .executeTakeFirst();
  return Number(row?.['sequence'] ?? 0);
}
