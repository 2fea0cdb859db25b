import { Candidates } from './candidates.ts';
import { Draft } from './draft.ts';
import { FleetTopology } from './gang/fleet-topology.ts';
import { isGang, type ShapeOfGang } from './gang/member-shape.ts';
import { placeGang } from './gang/place-gang.ts';
import { NodeGroups } from './node-groups.ts';
import type { Placement } from './placement.ts';
import type { Shape } from './resources.ts';
import type { FleetPacking } from './score/fleet-packing.ts';
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
  const draft = new Draft(groups);
  let topology = known;
  const placements: Placement[] = [];
  const blocked: string[] = [];
  for (const { key, shape, workloadIds, nodeIds } of pending) {
    if (placements.length >= limit || work?.isSpent === true) break;
    if (isGang(shape)) {
      topology ??= new FleetTopology(draft.nodes());
      work?.spend(looksOfGang(topology));
      const gangs = placeGangs(draft, topology, { shape, workloadIds }, limit - placements.length);
      placements.push(...gangs.placements);
      if (gangs.isBlocked) blocked.push(key);
      continue;
    }
    const candidates = new Candidates(draft, shape, packing, nodeIds);
    for (const workloadId of workloadIds.slice(0, limit - placements.length)) {
      const placement = candidates.place(workloadId);
      if (placement) {
        placements.push(placement);
        continue;
      }
      blocked.push(key);
      break;
    }
    work?.spend(candidates.looks);
  }
  return { placements, blocked };
}

/** Room for its members is counted on every node. */
export function looksOfGang({ size }: FleetTopology): number {
  return 10 + size / 4;
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
