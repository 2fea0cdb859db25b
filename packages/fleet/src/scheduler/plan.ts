import { explainWait, type Waiting } from './explain.ts';
import { fitNow, leftover, neverFits } from './fit.ts';
import type { Shape } from './resources.ts';
import type { Snapshot, SnapshotNode } from './snapshot.ts';

/** Workloads of one shape that wait, oldest first. */
export interface PendingShape {
  readonly key: string;
  readonly shape: Shape;
  readonly workloadIds: readonly string[];
}

export interface Placement {
  readonly workloadId: string;
  readonly nodeId: string;
  readonly devices: readonly string[];
  readonly shape: Shape;
  /** Why this node, for the event log. */
  readonly trace: { readonly candidates: number; readonly leftover: number };
}

export interface Plan {
  readonly placements: readonly Placement[];
  /** By shape key: why the rest waits. */
  readonly waiting: ReadonlyMap<string, Waiting>;
}

/**
 * Places what fits, shape by shape in the order of `pending`, each workload on the node where it leaves least
 * free. Pure: a shape that fails once is not tried again in this plan, and at most `limit` placements are
 * made.
 */
export function planPlacements(snapshot: Snapshot, pending: readonly PendingShape[], limit: number): Plan {
  const draft = new Map(snapshot.nodes.map((node) => [node.id, node]));
  const placements: Placement[] = [];
  const waiting = new Map<string, Waiting>();
  for (const { key, shape, workloadIds } of pending) {
    const able = snapshot.nodes.filter((node) => node.schedulable && neverFits(node, shape) === undefined);
    for (const workloadId of workloadIds) {
      if (placements.length >= limit) return { placements, waiting };
      const placement = placeOne(
        able.map((node) => draft.get(node.id) ?? node),
        shape,
        workloadId,
      );
      if (placement === undefined) {
        waiting.set(key, explainWait({ nodes: [...draft.values()] }, shape));
        break;
      }
      placements.push(placement);
      const node = draft.get(placement.nodeId);
      if (node) draft.set(node.id, afterPlacement(node, shape, placement.devices));
    }
  }
  return { placements, waiting };
}

function placeOne(nodes: readonly SnapshotNode[], shape: Shape, workloadId: string): Placement | undefined {
  let best: Placement | undefined;
  let candidates = 0;
  for (const node of nodes) {
    const devices = fitNow(node, shape);
    if (devices === undefined) continue;
    candidates += 1;
    const rest = leftover(node, shape);
    if (best && rest >= best.trace.leftover) continue;
    best = { workloadId, nodeId: node.id, devices, shape, trace: { candidates, leftover: rest } };
  }
  return best && { ...best, trace: { ...best.trace, candidates } };
}

export function afterPlacement(node: SnapshotNode, shape: Shape, devices: readonly string[]): SnapshotNode {
  const given = new Set(devices);
  return {
    ...node,
    free: { cpuMilli: node.free.cpuMilli - shape.cpuMilli, memoryMib: node.free.memoryMib - shape.memoryMib },
    gpus:
      given.size === 0
        ? node.gpus
        : node.gpus.map((gpu) => (given.has(gpu.id) ? { ...gpu, free: false } : gpu)),
  };
}
