import { Candidates } from './candidates.ts';
import { Draft } from './draft.ts';
import { NodeGroups } from './node-groups.ts';
import type { Placement } from './placement.ts';
import type { Shape } from './resources.ts';
import type { FleetPacking } from './score/fleet-packing.ts';
import type { Snapshot } from './snapshot.ts';

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

/**
 * Places what fits, shape by shape in the order of `pending`, each workload on the node where it costs the
 * others least. Pure: a shape that fails once is not tried again in this plan, and at most `limit` placements
 * are made. @param fleet grouped by `packing.groupKey`, or it is grouped first.
 */
export function planPlacements(
  fleet: Snapshot | NodeGroups,
  pending: readonly PendingShape[],
  limit: number,
  packing: FleetPacking,
): Plan {
  const groups = fleet instanceof NodeGroups ? fleet : new NodeGroups(packing.groupKey, fleet.nodes);
  const draft = new Draft(groups);
  const placements: Placement[] = [];
  const blocked: string[] = [];
  for (const { key, shape, workloadIds, nodeIds } of pending) {
    if (placements.length >= limit) break;
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
  }
  return { placements, blocked };
}
