import { present } from '@clawbernetes/kernel';
import { fitNow, leftover, neverFits } from './fit.ts';
import type { Shape } from './resources.ts';
import type { Snapshot, SnapshotNode } from './snapshot.ts';

/** Workloads of one shape that wait, oldest first. */
export interface PendingShape {
  readonly key: string;
  readonly shape: Shape;
  readonly workloadIds: readonly string[];
  /** It was tried, and only these nodes may have become able to take it since; absent = any may. */
  readonly nodeIds?: ReadonlySet<string>;
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
  /** Keys of shapes that no node can take any more of. */
  readonly blocked: readonly string[];
}

/**
 * Places what fits, shape by shape in the order of `pending`, each workload on the node where it leaves least
 * free. Pure: a shape that fails once is not tried again in this plan, and at most `limit` placements are
 * made.
 */
export function planPlacements(snapshot: Snapshot, pending: readonly PendingShape[], limit: number): Plan {
  const draft = new Map(snapshot.nodes.filter((node) => node.schedulable).map((node) => [node.id, node]));
  const placements: Placement[] = [];
  const blocked: string[] = [];
  for (const { key, shape, workloadIds, nodeIds } of pending) {
    if (placements.length >= limit) break;
    const candidates = new Candidates(draft, shape, nodeIds);
    for (const workloadId of workloadIds.slice(0, limit - placements.length)) {
      const placement = candidates.place(workloadId);
      if (placement) {
        placements.push(placement);
        continue;
      }
      blocked.push(key);
      break;
    }
  }
  return { placements, blocked };
}

/** The nodes that may take one shape; each is looked at once, and again only after a placement on it. */
class Candidates {
  readonly #draft: Map<string, SnapshotNode>;
  readonly #shape: Shape;
  readonly #nodes: SnapshotNode[];
  /** Of the node with the same index: what it would have left, or NaN if the shape does not fit. */
  readonly #leftovers: Float64Array;

  constructor(draft: Map<string, SnapshotNode>, shape: Shape, nodeIds: ReadonlySet<string> | undefined) {
    this.#draft = draft;
    this.#shape = shape;
    this.#nodes = nodeIds ? [...nodeIds].flatMap((id) => draft.get(id) ?? []) : [...draft.values()];
    this.#leftovers = Float64Array.from(this.#nodes, (node) => leftoverOn(node, shape));
  }

  /** On the tightest fit, the first of equals; undefined if it fits nowhere. */
  place(workloadId: string): Placement | undefined {
    let best = -1;
    let candidates = 0;
    let least = Infinity;
    for (const [index, rest] of this.#leftovers.entries()) {
      if (Number.isNaN(rest)) continue;
      candidates += 1;
      if (rest >= least) continue;
      best = index;
      least = rest;
    }
    const node = this.#nodes[best];
    return node && this.#give(workloadId, node, best, { candidates, leftover: least });
  }

  #give(workloadId: string, node: SnapshotNode, index: number, trace: Placement['trace']): Placement {
    const shape = this.#shape;
    const devices = present(fitNow(node, shape), 'the fit of a candidate');
    const after = afterPlacement(node, shape, devices);
    this.#draft.set(node.id, after);
    this.#nodes[index] = after;
    this.#leftovers[index] = leftoverOn(after, shape);
    return { workloadId, nodeId: node.id, devices, shape, trace };
  }
}

function leftoverOn(node: SnapshotNode, shape: Shape): number {
  const fits = neverFits(node, shape) === undefined && fitNow(node, shape) !== undefined;
  return fits ? leftover(node, shape) : NaN;
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
