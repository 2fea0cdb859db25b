import type { WaitReason } from '@clawbernetes/protocol';
import type { TopologyLevel } from '../topology/topology-tree.ts';
import type { GangDemand } from './gang-demand.ts';
import type { NodeMembers } from './spread-gang.ts';

/** A place by name, for records and people. */
export interface PlaceFacts {
  readonly level: TopologyLevel;
  /** `site/rack/NVLink domain`, or the node's name. */
  readonly name: string;
  /** Members of the gang that it can hold, in whole slices. */
  readonly members: number;
}

/** One level as the search saw it; a record has one per level, five at most. */
export interface LevelTrace {
  readonly level: TopologyLevel;
  /** Places looked at; those of unknown name do not count. */
  readonly places: number;
  /** The one that holds most. */
  readonly best?: PlaceFacts;
  /** Members that the best one lacks; 0 if the gang fits there. */
  readonly shortBy: number;
}

export interface GangPlacement extends NodeMembers {
  /** Its members have this rank and the following ones. */
  readonly firstRank: number;
}

export interface GangPlan {
  readonly kind: 'plan';
  readonly demand: GangDemand;
  readonly members: number;
  /** In topology order: members that are near have neighbouring ranks. */
  readonly placements: readonly GangPlacement[];
  /** The lowest level on which one place holds the whole gang. */
  readonly level: TopologyLevel;
  readonly place: PlaceFacts;
  /** Whether that is as near as was asked for; false only where the constraint is preferred. */
  readonly constraintMet: boolean;
  readonly domainsUsed: Readonly<Record<TopologyLevel, number>>;
  readonly trace: readonly LevelTrace[];
}

/** Which level is short, and by how much. */
export interface Shortfall {
  readonly level: TopologyLevel;
  readonly shortBy: number;
  /** The place that lacks least. */
  readonly nearest?: PlaceFacts;
  /** Members that fit into the whole fleet, near or not. */
  readonly anywhere: number;
  /** Members that fit on nodes which do not say where they are on this level. */
  readonly unknownPlace: number;
}

export interface GangRefusal extends Shortfall {
  readonly kind: 'refusal';
  /**
   * `never-fits`: not on an empty fleet either. `topology`: there is room, but not near enough.
   * `waiting-for-capacity`: the fleet has too little room.
   */
  readonly reason: Extract<WaitReason, 'never-fits' | 'topology' | 'waiting-for-capacity'>;
  readonly demand: GangDemand;
  /** The same on an empty fleet, if it would not fit there either. */
  readonly whenEmpty?: Shortfall;
  readonly trace: readonly LevelTrace[];
}
