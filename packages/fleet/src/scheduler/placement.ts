import { WHOLE_GPU } from './cluster/demand.ts';
import { milliOf, withFree } from './gpu-fit.ts';
import type { Shape } from './resources.ts';
import type { SnapshotNode } from './snapshot.ts';
import type { PlaceLevel } from './topology/gpu-level.ts';

export interface Placement {
  readonly workloadId: string;
  readonly nodeId: string;
  readonly devices: readonly string[];
  readonly shape: Shape;
  readonly trace: PlacementTrace;
  /** Set for a member of a gang; those of one gang follow each other by rank. */
  readonly member?: PlacedMember;
  /** The node as the plan found it, and as it leaves it. */
  readonly before: SnapshotNode;
  readonly after: SnapshotNode;
}

/** Why this node: stored with the placement, so it is small and flat. */
export interface PlacementTrace {
  /** Nodes that were looked at: all, or with `retried` those that changed since it fitted nowhere. */
  readonly nodes: number;
  readonly retried?: true;
  /** Those of them that had room. */
  readonly candidates: number;
  /** What the place costs the fleet; the least of all candidates. Absent for members of gangs. */
  readonly cost?: number;
  /** The node that would have been taken else, and its cost. */
  readonly runnerUp?: string;
  readonly runnerUpCost?: number;
  /** How many of the others had no room for which reason: `gpus-in-use 7, cordoned 3`; absent = none. */
  readonly others?: string;
}

/** What a member is told of its gang: stored with the placement of each, so it is small and flat. */
export interface MemberTrace extends PlacementTrace {
  readonly rank: number;
  readonly members: number;
  /** The lowest level on which one place holds the whole gang, and that place. */
  readonly level: PlaceLevel;
  readonly place: string;
}

/** Of which gang a placement is a member. */
export interface PlacedMember {
  readonly rank: number;
  /** Of the gang. */
  readonly members: number;
  readonly level: PlaceLevel;
}

/** What is stored of the GPUs that it holds, where they are not whole ones. */
export function partsHeld({ devices, shape, before }: Pick<Placement, 'devices' | 'shape' | 'before'>): {
  readonly gpuMilli?: number;
  readonly migMilli?: readonly number[];
} {
  if (shape.gpuMilli !== undefined) return { gpuMilli: shape.gpuMilli };
  if (shape.migProfile === undefined) return {};
  const parts = new Map(before.gpus.map(({ id, migMilli = WHOLE_GPU }) => [id, migMilli]));
  return { migMilli: devices.map((id) => parts.get(id) ?? WHOLE_GPU) };
}

export function afterPlacement(node: SnapshotNode, shape: Shape, devices: readonly string[]): SnapshotNode {
  const given = new Set(devices);
  const milli = milliOf(shape);
  const { reserved } = node;
  return {
    ...node,
    ...(reserved
      ? { reserved: { ...reserved, without: afterPlacement(reserved.without, shape, devices) } }
      : undefined),
    free: { cpuMilli: node.free.cpuMilli - shape.cpuMilli, memoryMib: node.free.memoryMib - shape.memoryMib },
    gpus:
      given.size === 0
        ? node.gpus
        : node.gpus.map((gpu) => (given.has(gpu.id) ? withFree(gpu, gpu.freeMilli - milli) : gpu)),
  };
}
