import { Candidates } from '../candidates.ts';
import type { Draft } from '../draft.ts';
import type { FleetTopology } from '../gang/fleet-topology.ts';
import { isGang } from '../gang/member-shape.ts';
import { placeInDraft } from '../gang/place-gang.ts';
import type { Placement } from '../placement.ts';
import type { PendingShape } from '../plan.ts';
import type { PlanTurn } from '../queues/queue-plan-order.ts';
import type { FleetPacking } from '../score/fleet-packing.ts';

/** Who is tried next. */
export interface TurnOrder {
  next(): PlanTurn | undefined;
  placed(placements: readonly Placement[]): void;
  /** No more of its group fits. */
  blocked(): void;
}

export interface DraftPlanDeps {
  readonly packing: FleetPacking;
  /** Of the nodes as they are; the draft may know of more room. */
  readonly topology: FleetTopology;
}

/** Places what fits into the draft in the order of the turns; at most `limit` placements, gangs whole. */
export function planInDraft(
  { packing, topology }: DraftPlanDeps,
  draft: Draft,
  order: TurnOrder,
  limit: number,
): readonly Placement[] {
  const searches = new Map<string, Candidates>();
  const place = ({ searchKey, shape, nodeIds, workloadId }: PlanTurn): readonly Placement[] => {
    if (isGang(shape)) return placeInDraft(draft, topology, { workloadId, shape }) ?? [];
    const candidates = searches.get(searchKey) ?? new Candidates(draft, shape, packing, nodeIds);
    searches.set(searchKey, candidates);
    const placement = candidates.place(workloadId);
    return placement ? [placement] : [];
  };
  const placements: Placement[] = [];
  while (placements.length < limit) {
    const turn = order.next();
    if (!turn) break;
    const placed = place(turn);
    placements.push(...placed);
    if (placed.length > 0) order.placed(placed);
    else order.blocked();
  }
  return placements;
}

/** Group by group, as they are listed. */
export class ListedOrder implements TurnOrder {
  readonly #groups: readonly PendingShape[];
  #group = 0;
  #workload = 0;

  constructor(groups: readonly PendingShape[]) {
    this.#groups = groups;
  }

  next(): PlanTurn | undefined {
    for (let group = this.#groups[this.#group]; group; group = this.#groups[this.#group]) {
      const workloadId = group.workloadIds[this.#workload];
      const { key, shape, nodeIds } = group;
      if (workloadId !== undefined)
        return { key, searchKey: key, shape, workloadId, ...(nodeIds ? { nodeIds } : {}) };
      this.blocked();
    }
    return undefined;
  }

  placed(): void {
    this.#workload += 1;
  }

  blocked(): void {
    this.#group += 1;
    this.#workload = 0;
  }
}
