import { Candidates } from '../candidates.ts';
import { Draft } from '../draft.ts';
import type { FleetTopology } from '../gang/fleet-topology.ts';
import { isGang } from '../gang/member-shape.ts';
import { placeGang } from '../gang/place-gang.ts';
import type { NodeGroups } from '../node-groups.ts';
import type { Placement } from '../placement.ts';
import { looksOfGang, type Plan } from '../plan.ts';
import type { FleetPacking } from '../score/fleet-packing.ts';
import type { WorkBudget } from '../work-budget.ts';
import type { GroupStop, PlanTurn, QueuePlanOrder } from './queue-plan-order.ts';

export interface QueuePlanInput {
  readonly groups: NodeGroups;
  readonly order: QueuePlanOrder;
  readonly packing: FleetPacking;
  readonly topology: FleetTopology;
  /** Ends the plan once it is spent. */
  readonly work?: WorkBudget;
}

export interface QueuePlan extends Plan {
  /** Groups that a limit keeps from starting, by key. */
  readonly stops: ReadonlyMap<string, GroupStop>;
}

/**
 * Places what fits in the order of the queues, each workload on the node where it costs the others least. A
 * group that fails once is not tried again in this plan, and at most `limit` placements are made. The usage
 * that the order was made with is afterwards as before.
 */
export function planByQueue(
  { groups, order, packing, topology, work }: QueuePlanInput,
  limit: number,
): QueuePlan {
  const draft = new Draft(groups);
  const searches = new Map<string, Candidates>();
  const place = ({ searchKey, shape, nodeIds, workloadId }: PlanTurn): readonly Placement[] => {
    if (isGang(shape)) {
      work?.spend(looksOfGang(topology));
      return placeGang(draft, topology, { workloadId, shape }) ?? [];
    }
    const candidates = searches.get(searchKey) ?? new Candidates(draft, shape, packing, nodeIds);
    searches.set(searchKey, candidates);
    const before = candidates.looks;
    const placement = candidates.place(workloadId);
    work?.spend(1 + candidates.looks - before);
    return placement ? [placement] : [];
  };
  const placements: Placement[] = [];
  const blocked: string[] = [];
  while (placements.length < limit) {
    const turn = work?.isSpent === true ? undefined : order.next();
    if (!turn) break;
    const placed = place(turn);
    if (placed.length > 0) {
      placements.push(...placed);
      order.placed(placed);
    } else {
      blocked.push(turn.key);
      order.blocked();
    }
  }
  order.undo();
  return { placements, blocked, stops: order.stops };
}
