import type { NodeInventory } from '@clawbernetes/protocol';
import type { NodeRecord } from './records.ts';
import { WHOLE_GPU } from './scheduler/cluster/demand.ts';
import { countedMilli } from './scheduler/gpu-fit.ts';
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
  /**
   * Of approved nodes: GPUs that may be used, those of which nobody uses any part, and those that are
   * simulated. A GPU that MIG cuts up counts by its instances, each as the part of a GPU that it is.
   */
  readonly gpus: { readonly total: number; readonly free: number; readonly simulated: number };
  /** Nodes that wait for approval, are out of reach or not healthy, by name. */
  readonly conspicuous: readonly NodeRecord[];
}

/** In one pass that makes nothing for each node: it is asked for again and again, of thousands of nodes. */
export function countFleet(table: NodeTable): FleetCounts {
  const nodes = { total: 0, connected: 0, schedulable: 0, pending: 0 };
  const milli = { total: 0, free: 0, simulated: 0 };
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
    countGpus(table.view(node), milli);
    milli.simulated += simulatedMilli(table.view(node), node.inventory);
  }
  const gpus = {
    total: milli.total / WHOLE_GPU,
    free: milli.free / WHOLE_GPU,
    simulated: milli.simulated / WHOLE_GPU,
  };
  return { nodes, gpus, conspicuous: conspicuous.toSorted((one, other) => (one.name < other.name ? -1 : 1)) };
}

function countGpus(view: SnapshotNode, milli: { total: number; free: number }): void {
  for (const gpu of view.gpus) {
    if (!gpu.usable) continue;
    milli.total += countedMilli(gpu);
    if (gpu.freeMilli === WHOLE_GPU) milli.free += countedMilli(gpu);
  }
}

function simulatedMilli(view: SnapshotNode, { gpus }: NodeInventory): number {
  // Nearly always all of a node's are, or none.
  const [first] = gpus;
  if (!first || gpus.every(({ simulated }) => simulated === first.simulated))
    return first?.simulated === true ? view.gpus.reduce((sum, gpu) => sum + countedMilli(gpu), 0) : 0;
  const simulated = new Set(gpus.flatMap((gpu) => (gpu.simulated ? gpu.id : [])));
  return view.gpus.reduce((sum, gpu) => sum + (simulated.has(gpu.id) ? countedMilli(gpu) : 0), 0);
}
