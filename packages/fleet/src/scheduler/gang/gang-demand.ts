import type { WorkloadSpec } from '@clawbernetes/protocol';
import { gpuLevel, type GpuLevel } from '../topology/gpu-level.ts';
import { TOPOLOGY_LEVELS, type TopologyLevel, type TopologyTree } from '../topology/topology-tree.ts';

/** What a gang asks for. A member is one process group on one node; its size is in `room`, not here. */
export interface GangDemand {
  /** All of them or none; of an elastic gang at least `min`, and as many as there is room for up to `max`. */
  readonly members: { readonly min: number; readonly max: number };
  /** All in one domain of this level or a lower one. Absent: anywhere, still as near as possible. */
  readonly topology?: TopologyConstraint;
  readonly slices?: GangSlices;
}

export interface TopologyConstraint {
  readonly level: TopologyLevel;
  /** `required` waits rather than spread wider; `preferred` climbs. */
  readonly rule: 'required' | 'preferred';
}

/** GPUs of all members on one part of one node. */
export interface GangPart {
  readonly level: GpuLevel;
  readonly rule: TopologyConstraint['rule'];
}

/** Ranks 0…size-1, size…2·size-1, … each within one domain of the level: tensor-parallel groups. Required. */
export interface GangSlices {
  readonly size: number;
  readonly level: TopologyLevel;
}

/** Members over the values of a label, such as racks: none is to have many more than another. */
export interface GangSpread {
  readonly by: string;
  /** Members that one value may have more than another, at most. */
  readonly maxSkew: number;
  /** `required` waits rather than lean to one side; `preferred` leans as little as it can. */
  readonly rule: 'required' | 'preferred';
}

/** What a specification says of them. */
export function gangShapeOf(
  { members: max, minMembers: min = max, topology }: NonNullable<WorkloadSpec['gang']>,
  spread: WorkloadSpec['spread'],
): GangDemand & { readonly spread?: GangSpread; readonly within?: GangPart } {
  const part = gpuLevel(topology?.level);
  // What stands on one part of a node stands on one node.
  const level = part ? 'node' : TOPOLOGY_LEVELS.find((known) => known === topology?.level);
  return {
    members: { min, max },
    ...(level && topology ? { topology: { level, rule: topology.mode } } : {}),
    ...(part && topology ? { within: { level: part, rule: topology.mode } } : {}),
    ...(spread ? { spread: { by: spread.by, maxSkew: spread.maxSkew, rule: spread.mode } } : {}),
  };
}

/** Equal for gangs that ask for the same. */
export function gangKey(gang: ReturnType<typeof gangShapeOf>): string {
  const { topology, within, spread } = gang;
  const { min, max } = gang.members;
  const near = topology ? ` ${topology.rule} ${within?.level ?? topology.level}` : '';
  const even = spread ? ` ${spread.rule} ${spread.maxSkew} by ${spread.by}` : '';
  return `gang ${min}-${max}${near}${even}`;
}

/** The fleet as one gang sees it; never changed by planning. */
export interface GangFleet {
  readonly tree: TopologyTree;
  /** By node number: members that fit on it now, `MAX_ROOM` at most; 0 on nodes that may not be used. */
  readonly room: Int32Array;
  /** By domain number: sums of `room`, where they are kept (`DomainCapacity`). */
  readonly members?: Int32Array;
  /** Members that would fit if nothing ran. Without it a refusal does not say whether waiting can help. */
  readonly roomWhenEmpty?: (node: number) => number;
  /**
   * Of nodes with equal room the lowest is taken first: suspicion, a missing image, a whole rack to spare.
   */
  readonly penalty?: (node: number) => number;
}

/** Most members of a gang; plans hold an entry for each. */
export const MAX_GANG_MEMBERS = 65_536;
