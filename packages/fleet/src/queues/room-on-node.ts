import type { Placement } from '../scheduler/placement.ts';
import { planPlacements } from '../scheduler/plan.ts';
import type { PreemptionDomain } from '../scheduler/queues/choose-preemption.ts';
import type { Victim } from '../scheduler/queues/victims.ts';
import type { FleetPacking } from '../scheduler/score/fleet-packing.ts';
import { sliced, type Sliced } from '../scheduler/slices.ts';
import type { SnapshotNode } from '../scheduler/snapshot.ts';
import type { CandidatesOnNodes, Tried } from './candidates-on-nodes.ts';

/** Of one node with all that might go there, in looks. */
const LOOKS_PER_NODE = 8;

/** Where something that waits would have its place without some of what runs: tried on a copy. */
export interface RoomTrial {
  /** Those first where least is thrown away. */
  domains(): Sliced<readonly PreemptionDomain[]>;
  place(removed: ReadonlySet<string>, domainId: string): readonly Placement[] | undefined;
}

/** Of one workload: its domains are nodes. */
export class RoomOnNode implements RoomTrial {
  readonly #packing: FleetPacking;
  readonly #tried: Tried;
  readonly #nodes: CandidatesOnNodes;

  constructor(packing: FleetPacking, tried: Tried, nodes: CandidatesOnNodes) {
    this.#packing = packing;
    this.#tried = tried;
    this.#nodes = nodes;
  }

  *domains(): Sliced<readonly PreemptionDomain[]> {
    const found: (PreemptionDomain & { readonly gpuHours: number })[] = [];
    yield* sliced(this.#nodes.victims, LOOKS_PER_NODE, ([id, victims]) => {
      const view = this.#nodes.view(id);
      if (!view || !this.#mayFit(view, victims)) return;
      const unitIds = victims.map(({ unit }) => unit.id);
      found.push({ id, unitIds, gpuHours: this.#leastHours(view, victims) });
    });
    return found.toSorted((one, other) => one.gpuHours - other.gpuHours);
  }

  place(removed: ReadonlySet<string>, nodeId: string): readonly Placement[] | undefined {
    const view = this.#nodes.view(nodeId);
    if (!view || !this.#nodes.isWithinLimits(removed)) return undefined;
    const node = this.#nodes.without(view, removed);
    const { work, group } = this.#tried;
    const asked = { key: group.key, shape: group.shape, workloadIds: [work.id] };
    const { placements } = planPlacements({ nodes: [node] }, [asked], 1, this.#packing);
    return placements.length > 0 ? placements : undefined;
  }

  /** Counted only; the placer looks closer. */
  #mayFit(view: SnapshotNode, victims: readonly Victim[]): boolean {
    let milli = freeMilli(view);
    for (const { unit } of victims) milli += this.#nodes.milliOn(unit.id, view.id);
    return milli >= this.#askedMilli;
  }

  /** Of the cheapest that would suffice by their number of GPUs. */
  #leastHours(view: SnapshotNode, victims: readonly Victim[]): number {
    let missing = this.#askedMilli - freeMilli(view);
    let hours = 0;
    for (const { unit, gpuHours } of victims.toSorted((one, other) => one.gpuHours - other.gpuHours)) {
      if (missing <= 0) break;
      hours += gpuHours;
      missing -= this.#nodes.milliOn(unit.id, view.id);
    }
    return hours;
  }

  get #askedMilli(): number {
    const { gpus, gpuMilli = 1000 } = this.#tried.group.shape;
    return gpus * gpuMilli;
  }
}

function freeMilli({ gpus }: SnapshotNode): number {
  return gpus.reduce((sum, gpu) => sum + (gpu.usable ? gpu.freeMilli : 0), 0);
}
