import { BinaryHeap, present } from '@clawbernetes/kernel';
import { fitNow, leftover, neverFits, reluctance } from './fit.ts';
import type { FleetPacking } from './score/fleet-packing.ts';
import type { Shape } from './resources.ts';
import type { Snapshot, SnapshotNode } from './snapshot.ts';
import { RefusalCounts } from './why/refusal-counts.ts';

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
  readonly trace: PlacementTrace;
}

/** Why this node: stored with the placement, so it is small and flat. */
export interface PlacementTrace {
  /** Nodes that were looked at: all, or with `retried` those that changed since it fitted nowhere. */
  readonly nodes: number;
  readonly retried?: true;
  /** Those of them that had room. */
  readonly candidates: number;
  /** What the place costs the fleet; the least of all candidates. */
  readonly cost: number;
  /** The node that would have been taken else, and its cost. */
  readonly runnerUp?: string;
  readonly runnerUpCost?: number;
  /** How many of the others had no room for which reason: `gpus-in-use 7, cordoned 3`; absent = none. */
  readonly others?: string;
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
  const draft = new Map(snapshot.nodes.map((node) => [node.id, node]));
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
  readonly #refusals = new RefusalCounts();
  readonly #looked: Pick<PlacementTrace, 'nodes' | 'retried'>;
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
    this.#looked = nodeIds ? { nodes: index, retried: true } : { nodes: index };
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
    const trace = { ...this.#looked, candidates: size, cost, ...this.#rest() };
    this.#draft.set(node.id, after);
    this.#offer(after, index);
    return { workloadId, nodeId: node.id, devices, shape, trace };
  }

  /** What the one that was just taken was chosen over. */
  #rest(): Pick<PlacementTrace, 'runnerUp' | 'runnerUpCost' | 'others'> {
    const { first } = this.#able;
    const { text } = this.#refusals;
    return {
      ...(first ? { runnerUp: first.node.id, runnerUpCost: first.cost } : {}),
      ...(text === '' ? {} : { others: text }),
    };
  }

  #offer(node: SnapshotNode, index: number): void {
    const shape = this.#shape;
    const misfit = neverFits(node, shape);
    if (misfit !== undefined || !node.schedulable || fitNow(node, shape) === undefined) {
      this.#refusals.add(node, shape, misfit);
      return;
    }
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
