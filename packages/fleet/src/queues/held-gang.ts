import type { FleetCore } from '../fleet-core.ts';
import { neverFits } from '../scheduler/fit.ts';
import { milliOf } from '../scheduler/gpu-fit.ts';
import { afterPlacement, type Placement } from '../scheduler/placement.ts';
import type { Shape } from '../scheduler/resources.ts';
import type { SnapshotNode } from '../scheduler/snapshot.ts';
import type { PlaceHold, PlaceHolds } from './place-holds.ts';

/**
 * The members of a gang in the places that are kept for it, once all of these are free; else undefined, also
 * if a node takes them no more.
 * @param kept by rank.
 */
export function startOfGang(
  { nodes }: Pick<FleetCore, 'nodes'>,
  holds: PlaceHolds,
  kept: readonly PlaceHold[],
): readonly Placement[] | undefined {
  const views = new Map<string, SnapshotNode>();
  const placements: Placement[] = [];
  for (const { workloadId, nodeId, shape, devices, member } of kept) {
    const node = nodes.node(nodeId);
    const before = views.get(nodeId) ?? (node && holds.masked(nodes.view(node), workloadId));
    if (!member || !before?.schedulable || neverFits(before, shape)) return undefined;
    if (!isFree(before, shape, devices)) return undefined;
    const after = afterPlacement(before, shape, devices);
    views.set(nodeId, after);
    const { trace, ...placed } = member;
    placements.push({ workloadId, nodeId, devices, shape, trace, member: placed, before, after });
  }
  return placements;
}

function isFree({ free, gpus }: SnapshotNode, shape: Shape, devices: readonly string[]): boolean {
  if (free.cpuMilli < shape.cpuMilli || free.memoryMib < shape.memoryMib) return false;
  const milli = milliOf(shape);
  const able = gpus.filter(
    ({ id, usable, freeMilli }) => usable && freeMilli >= milli && devices.includes(id),
  );
  return able.length === devices.length;
}
