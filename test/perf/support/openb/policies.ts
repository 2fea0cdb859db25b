import type { Random } from '@clawbernetes/kernel';
import { planPlacements, type SnapshotNode } from '@clawbernetes/fleet';
import { FleetPacking, gpuShare, NodeGroups, WHOLE_GPU, type Demand } from '@clawbernetes/fleet/scheduler';
import type { PodKind, TraceFleet } from './trace.ts';

/** A node, or several that are alike, and what is free there. */
export interface NodesLeft {
  readonly model: string;
  readonly cpuMilli: number;
  readonly memoryMib: number;
  /** Thousandths that are free of each GPU. */
  readonly gpus: readonly number[];
  readonly nodes: number;
}

/** Finds places for what arrives, in a fleet of its own. */
export interface Policy {
  /** Places it, or answers false. */
  place(arrived: PodKind): boolean;
  left(): Iterable<NodesLeft>;
}

/** That of the product: the very plans that place workloads. */
export class Packing implements Policy {
  readonly #packing = new FleetPacking();
  readonly #groups: NodeGroups;

  constructor({ nodes }: TraceFleet) {
    this.#groups = new NodeGroups(this.#packing.groupKey, nodes);
  }

  place({ key, shape }: PodKind): boolean {
    this.#packing.arrived(shape);
    this.#packing.refresh(this.#groups);
    const pending = [{ key, shape, workloadIds: [key] }];
    const [placement] = planPlacements(this.#groups, pending, 1, this.#packing).placements;
    if (placement) this.#groups.put(placement.after);
    return placement !== undefined;
  }

  *left(): Generator<NodesLeft> {
    for (const { nodes } of this.#groups.groups)
      for (const { free, gpus } of nodes.values()) {
        const shares = gpus.map(({ freeMilli }) => freeMilli);
        yield { ...free, gpus: shares, model: gpus[0]?.model ?? '', nodes: 1 };
      }
  }
}

interface Node {
  readonly model: string;
  cpuMilli: number;
  memoryMib: number;
  readonly gpus: number[];
}

/** Chooses a node and the share of a GPU from those that have room; what both baselines have in common. */
abstract class Baseline implements Policy {
  readonly #nodes: readonly Node[];

  constructor({ nodes }: TraceFleet) {
    this.#nodes = nodes.map(toNode);
  }

  place({ demand, models }: PodKind): boolean {
    const able = this.#nodes.filter((node) => hasRoom(node, demand, models));
    const node = this.choose(able, demand);
    if (!node) return false;
    const share = this.share(node.gpus.filter((free) => free >= demand.gpuMilli));
    give(node, demand, demand.gpuMilli === WHOLE_GPU ? WHOLE_GPU : share);
    return true;
  }

  *left(): Generator<NodesLeft> {
    for (const node of this.#nodes) yield { ...node, nodes: 1 };
  }

  protected abstract choose(able: readonly Node[], demand: Demand): Node | undefined;
  protected abstract share(shares: readonly number[]): number;
}

function toNode({ free, gpus }: SnapshotNode): Node {
  return { ...free, model: gpus[0]?.model ?? '', gpus: gpus.map(({ freeMilli }) => freeMilli) };
}

function hasRoom(node: Node, demand: Demand, models: ReadonlySet<string>): boolean {
  if (node.cpuMilli < demand.cpuMilli || node.memoryMib < demand.memoryMib) return false;
  if (models.size > 0 && !models.has(node.model)) return false;
  let able = 0;
  for (const share of node.gpus) if (share >= demand.gpuMilli) able += 1;
  return able >= demand.gpus;
}

/** From GPUs of which so much is free, the first ones. */
function give(node: Node, { cpuMilli, memoryMib, gpus, gpuMilli }: Demand, from: number): void {
  node.cpuMilli -= cpuMilli;
  node.memoryMib -= memoryMib;
  for (let given = 0, place = 0; given < gpus; place += 1) {
    if (node.gpus[place] !== from) continue;
    node.gpus[place] = from - gpuMilli;
    given += 1;
  }
}

/** Any node that has room, and any of its GPUs. */
export class RandomChoice extends Baseline {
  readonly #source: Random;

  constructor(fleet: TraceFleet, source: Random) {
    super(fleet);
    this.#source = source;
  }

  protected override choose(able: readonly Node[]): Node | undefined {
    return this.#any(able);
  }

  protected override share(shares: readonly number[]): number {
    return this.#any(shares) ?? 0;
  }

  #any<T>(values: readonly T[]): T | undefined {
    return values[Math.floor(this.#source.fraction() * values.length)];
  }
}

/** Largest node of the trace, by which what is left over is measured. */
const MOST_CPU_MILLI = 128_000;
const MOST_GPU_MILLI = 8000;

/**
 * The node on which the least is left over, CPU and GPU counting alike, in whole percent and by the lowest
 * name between equals; the share from the GPU with the least free. As in the simulator of Weng et al.,
 * ATC'23.
 */
export class BestFit extends Baseline {
  protected override choose(able: readonly Node[], demand: Demand): Node | undefined {
    let [best, highest]: [Node | undefined, number] = [undefined, -Infinity];
    for (const node of able) {
      const gpu = node.gpus.reduce((sum, share) => sum + share, 0) - gpuShare(demand);
      const left = (node.cpuMilli - demand.cpuMilli) / MOST_CPU_MILLI + gpu / MOST_GPU_MILLI;
      const score = Math.floor(100 * (1 - left / 2));
      if (score > highest) [best, highest] = [node, score];
    }
    return best;
  }

  protected override share(shares: readonly number[]): number {
    return Math.min(...shares);
  }
}
