import { BinaryHeap, present } from '@clawbernetes/kernel';
import { fitNow, leftover, neverFits, reluctance } from './fit.ts';
import type { FleetPacking } from './score/fleet-packing.ts';
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
  /** Why this node, for the event log: the least cost of so many that would have taken it. */
  readonly trace: { readonly candidates: number; readonly cost: number };
}

export interface Plan {
  readonly placements: readonly Placement[];
  /** Keys of shapes that no node can take any more of. */
  readonly blocked: readonly string[];
}

/** Of what is left free, against what packing costs: it decides only between nodes that cost the same. */
const LEFTOVER_WEIGHT = 1e-3;

/**
 * Places what fits, shape by shape in the order of `pending`, each workload on the node where it costs the
 * others least. Pure: a shape that fails once is not tried again in this plan, and at most `limit` placements
 * are made.
 */
export function planPlacements(
  snapshot: Snapshot,
  pending: readonly PendingShape[],
  limit: number,
  packing: FleetPacking,
): Plan {
  const draft = new Map(snapshot.nodes.filter((node) => node.schedulable).map((node) => [node.id, node]));
  const placements: Placement[] = [];
  const blocked: string[] = [];
  for (const { key, shape, workloadIds, nodeIds } of pending) {
    if (placements.length >= limit) break;
    const candidates = new Candidates(draft, shape, nodeIds, packing);
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

/** A node that has room, and what placing on it costs. */
interface Candidate {
  readonly node: SnapshotNode;
  readonly index: number;
  readonly cost: number;
}

/** The nodes that may take one shape; each is looked at once, and again only after a placement on it. */
class Candidates {
  readonly #draft: Map<string, SnapshotNode>;
  readonly #shape: Shape;
  readonly #packing: FleetPacking;
  /** The cheapest first, the first of equals. */
  readonly #able = new BinaryHeap<Candidate>((left, right) =>
    left.cost === right.cost ? left.index < right.index : left.cost < right.cost,
  );

  constructor(
    draft: Map<string, SnapshotNode>,
    shape: Shape,
    nodeIds: ReadonlySet<string> | undefined,
    packing: FleetPacking,
  ) {
    this.#draft = draft;
    this.#shape = shape;
    this.#packing = packing;
    let index = 0;
    for (const id of nodeIds ?? draft.keys()) {
      const node = draft.get(id);
      if (node) this.#offer(node, index);
      index += 1;
    }
  }

  /** Where it costs least; undefined if it fits nowhere. */
  place(workloadId: string): Placement | undefined {
    const { first, size } = this.#able;
    if (!first) return undefined;
    this.#able.pop();
    const { node, index, cost } = first;
    const shape = this.#shape;
    const devices = present(fitNow(node, shape), 'the fit of a candidate');
    const after = afterPlacement(node, shape, devices);
    this.#draft.set(node.id, after);
    this.#offer(after, index);
    return { workloadId, nodeId: node.id, devices, shape, trace: { candidates: size, cost } };
  }

  #offer(node: SnapshotNode, index: number): void {
    const shape = this.#shape;
    if (neverFits(node, shape) !== undefined || fitNow(node, shape) === undefined) return;
    const loss = this.#packing.loss(node, shape) + LEFTOVER_WEIGHT * leftover(node, shape);
    this.#able.push({ node, index, cost: loss + reluctance(node, shape) });
  }
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
