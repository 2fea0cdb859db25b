import { Candidates } from './candidates.ts';
import { Draft } from './draft.ts';
import { FleetTopology } from './gang/fleet-topology.ts';
import { isGang, type ShapeOfGang } from './gang/member-shape.ts';
import { looksOfGang, placeGang } from './gang/place-gang.ts';
import { NodeGroups } from './node-groups.ts';
import type { Placement } from './placement.ts';
import type { Shape } from './resources.ts';
import type { FleetPacking } from './score/fleet-packing.ts';
import { sliced, type Sliced } from './slices.ts';
import type { Snapshot } from './snapshot.ts';
import type { WorkBudget } from './work-budget.ts';

/** Workloads of one shape that wait, oldest first. */
export interface PendingShape {
  readonly key: string;
  readonly shape: Shape;
  readonly workloadIds: readonly string[];
  /** It was tried, and only these nodes may have become able to take it since; absent = any may. */
  readonly nodeIds?: ReadonlySet<string>;
}

export interface Plan {
  readonly placements: readonly Placement[];
  /** Keys of shapes that no node can take any more of. */
  readonly blocked: readonly string[];
}

export interface PlanOptions {
  /** Where the nodes stand; found out for the first gang if absent. */
  readonly topology?: FleetTopology;
  /** Ends the plan once it is spent. */
  readonly work?: WorkBudget;
}

/**
 * Places what fits, shape by shape in the order of `pending`, each workload on the node where it costs the
 * others least. Pure: a shape that fails once is not tried again in this plan, and at most `limit` placements
 * are made. @param fleet grouped by `packing.groupKey`, or it is grouped first.
 */
export function planPlacements(
  fleet: Snapshot | NodeGroups,
  pending: Iterable<PendingShape>,
  limit: number,
  packing: FleetPacking,
  { topology: known, work }: PlanOptions = {},
): Plan {
  const groups = fleet instanceof NodeGroups ? fleet : new NodeGroups(packing.groupKey, fleet.nodes);
  const plan = new PlanSoFar(groups, limit, packing, known);
  for (const group of pending) {
    if (plan.isFull || work?.isSpent === true) break;
    const looks = plan.place(group);
    work?.spend(looks);
  }
  return plan;
}

/** Of one node that is put with others that are alike, in looks. */
const LOOKS_PER_GROUPED = 1;

/** The same in pieces, on nodes that nobody changes meanwhile. */
export function* planningPlacements(
  { nodes }: Snapshot,
  pending: Iterable<PendingShape>,
  limit: number,
  packing: FleetPacking,
): Sliced<Plan> {
  const groups = new NodeGroups(packing.groupKey);
  yield* sliced(nodes, LOOKS_PER_GROUPED, (node) => groups.put(node));
  const plan = new PlanSoFar(groups, limit, packing);
  for (const group of pending) {
    if (plan.isFull) break;
    yield plan.place(group);
  }
  return plan;
}

class PlanSoFar implements Plan {
  readonly placements: Placement[] = [];
  readonly blocked: string[] = [];
  readonly #draft: Draft;
  readonly #limit: number;
  readonly #packing: FleetPacking;
  #topology: FleetTopology | undefined;

  constructor(groups: NodeGroups, limit: number, packing: FleetPacking, topology?: FleetTopology) {
    this.#draft = new Draft(groups);
    this.#limit = limit;
    this.#packing = packing;
    this.#topology = topology;
  }

  get isFull(): boolean {
    return this.placements.length >= this.#limit;
  }

  /** As many of a shape as fit; answers what that took, in looks. */
  place({ key, shape, workloadIds, nodeIds }: PendingShape): number {
    const left = this.#limit - this.placements.length;
    if (isGang(shape)) {
      const topology = (this.#topology ??= new FleetTopology(this.#draft.nodes()));
      const gangs = placeGangs(this.#draft, topology, { shape, workloadIds }, left);
      this.placements.push(...gangs.placements);
      if (gangs.isBlocked) this.blocked.push(key);
      return looksOfGang(topology);
    }
    const candidates = new Candidates(this.#draft, shape, this.#packing, nodeIds);
    for (const workloadId of workloadIds.slice(0, left)) {
      const placement = candidates.place(workloadId);
      if (placement) {
        this.placements.push(placement);
        continue;
      }
      this.blocked.push(key);
      break;
    }
    return candidates.looks;
  }
}

/**
 * Gangs of one shape, one after the other, until the limit is reached: the last one may pass it, since it is
 * placed as a whole or not at all.
 */
function placeGangs(
  draft: Draft,
  topology: FleetTopology,
  { shape, workloadIds }: { readonly shape: ShapeOfGang; readonly workloadIds: readonly string[] },
  limit: number,
): { readonly placements: readonly Placement[]; readonly isBlocked: boolean } {
  const placements: Placement[] = [];
  for (const workloadId of workloadIds) {
    if (placements.length >= limit) break;
    const gang = placeGang(draft, topology, { workloadId, shape });
    if (!gang) return { placements, isBlocked: true };
    placements.push(...gang);
  }
  return { placements, isBlocked: false };
}
