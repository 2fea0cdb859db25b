import type { NodeRecord } from './records.ts';
import { WHOLE_GPU } from './scheduler/cluster/demand.ts';
import type { SnapshotNode } from './scheduler/snapshot.ts';
import { nodeHealth } from './views.ts';
import type { NodeTable } from './node/node-table.ts';

/** What a fleet has in all; retired nodes are out of it. */
export interface FleetCounts {
  /** All but `pending` are of approved nodes. */
  readonly nodes: {
    readonly total: number;
    readonly connected: number;
    readonly schedulable: number;
    readonly pending: number;
  };
  /** Of approved nodes: whole GPUs that may be used, those that nobody uses, and those that are simulated. */
  readonly gpus: { readonly total: number; readonly free: number; readonly simulated: number };
  /** Nodes that wait for approval, are out of reach or not healthy, by name. */
  readonly conspicuous: readonly NodeRecord[];
}

/** In one pass that makes nothing for each node: it is asked for again and again, of thousands of nodes. */
export function countFleet(table: NodeTable): FleetCounts {
  const nodes = { total: 0, connected: 0, schedulable: 0, pending: 0 };
  const gpus = { total: 0, free: 0, simulated: 0 };
  const conspicuous: NodeRecord[] = [];
  for (const node of table.nodes()) {
    if (node.eligibility === 'retired') continue;
    const isConnected = table.presence(node.id)?.connectivity === 'connected';
    if (!node.approved || !isConnected || nodeHealth(node).reason !== undefined) conspicuous.push(node);
    if (!node.approved) {
      nodes.pending += 1;
      continue;
    }
    nodes.total += 1;
    if (isConnected) nodes.connected += 1;
    if (isConnected && node.eligibility === 'schedulable') nodes.schedulable += 1;
    countGpus(table.view(node), gpus);
    for (const gpu of node.inventory.gpus) if (gpu.simulated) gpus.simulated += 1;
  }
  return { nodes, gpus, conspicuous: conspicuous.toSorted((one, other) => (one.name < other.name ? -1 : 1)) };
}

function countGpus(view: SnapshotNode, counts: { total: number; free: number }): void {
  for (const { usable, migProfile, freeMilli } of view.gpus) {
    if (!usable || migProfile !== undefined) continue;
    counts.total += 1;
    if (freeMilli === WHOLE_GPU) counts.free += 1;
  }
}
