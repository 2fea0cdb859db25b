import { assert, present } from '@clawbernetes/kernel';
import { FLEET, levelName, levelNumber, type TopologyLevel } from '../topology/topology-tree.ts';
import type { GangDemand, GangFleet } from './gang-demand.ts';
import type { GangPlan, PlaceFacts } from './gang-plan.ts';
import { placeFacts } from './gang-trace.ts';
import {
  commonSpot,
  isWithin,
  keeperOf,
  lowestKnown,
  lowestWith,
  widestAllowed,
} from './replacement-place.ts';
import { draftCapacity, spotOfNode, type SliceCapacity, type Spot } from './slice-capacity.ts';
import { spreadMembers, spreadSlices, type NodeMembers } from './spread-gang.ts';

export interface RunningGang {
  readonly demand: GangDemand;
  /** By rank. Nodes of members that live are in the tree; those of lost ones may have left it. */
  readonly nodeOfRank: Int32Array;
}

export interface GangReplacement {
  readonly kind: 'replacement';
  /** Members that live keep their ranks and nodes; a new one takes the rank of the one it replaces. */
  readonly nodeOfRank: Int32Array;
  readonly moves: readonly { readonly rank: number; readonly from: number; readonly to: number }[];
  /** The lowest level on which one known place holds the whole gang now. */
  readonly level: TopologyLevel;
  /** False only where a preferred level had to be left. */
  readonly constraintMet: boolean;
}

export interface ReplacementRefusal {
  readonly kind: 'refusal';
  /** Where the new members would have to go. */
  readonly place: PlaceFacts;
  /** Members that do not fit there. */
  readonly shortBy: number;
}

export function nodesByRank({ placements, members }: GangPlan): Int32Array {
  const nodes = new Int32Array(members);
  for (const { node, firstRank, members: count } of placements)
    nodes.fill(node, firstRank, firstRank + count);
  return nodes;
}

/**
 * New nodes for lost members, as near to the lost ones as there is room: the same node, then the domains
 * above it, as far as the topology constraint allows. The rest of a broken slice stays, so its new members
 * join it within the slices' level. All or nothing, and exact: refused only if no choice of nodes would do.
 * Some member must live; a gang that lost all of them is planned anew. `fleet.room` is what is free now, so 0
 * on lost nodes.
 */
export function replaceMembers(
  gang: RunningGang,
  lost: readonly number[],
  fleet: GangFleet,
): GangReplacement | ReplacementRefusal {
  const search = new ReplacementSearch(gang, new Set(lost), fleet);
  return search.refillSlices() ?? search.moveWholeSlices() ?? search.replacement();
}

class ReplacementSearch {
  readonly #gang: RunningGang;
  readonly #lost: ReadonlySet<number>;
  readonly #fleet: GangFleet;
  readonly #draft: SliceCapacity;
  readonly #nodeOfRank: Int32Array;
  /** What the living members share, and the widest place that the gang may use. */
  readonly #common: Spot;
  readonly #widest: Spot;
  readonly #slices: readonly BrokenSlice[];

  constructor(gang: RunningGang, lost: ReadonlySet<number>, fleet: GangFleet) {
    this.#gang = gang;
    this.#lost = lost;
    this.#fleet = fleet;
    this.#draft = draftCapacity(fleet, gang.demand.slices);
    this.#nodeOfRank = gang.nodeOfRank.slice();
    const living = gang.nodeOfRank.filter((_node, rank) => !lost.has(rank));
    assert(living.length > 0, 'a member of the gang lives');
    this.#common = commonSpot(this.#draft, living);
    this.#widest = widestAllowed(this.#draft, this.#common, ceilingOf(gang.demand));
    this.#slices = brokenSlices(gang, lost, this.#draft.sliceSize);
  }

  /** Lost members of slices of which others live. */
  refillSlices(): ReplacementRefusal | undefined {
    const draft = this.#draft;
    for (const { ranks, living } of this.#slices) {
      if (living === undefined) continue;
      const limit = keeperOf(draft, living, this.#widest);
      const place = lowestWith(
        draft,
        { from: spotOfNode(living), limit },
        (spot) => draft.members(spot) >= ranks.length,
      );
      if (place === undefined) return this.#refuse(limit, ranks.length - draft.members(limit));
      this.#give(ranks, spreadMembers(draft, place, ranks.length, this.#penalty()));
    }
    return undefined;
  }

  /** Slices that were lost as a whole, those of one node together. */
  moveWholeSlices(): ReplacementRefusal | undefined {
    const whole = this.#slices.filter(({ living }) => living === undefined);
    const missing = whole.length - this.#draft.slices(this.#widest);
    if (missing > 0) return this.#refuse(this.#widest, missing * this.#draft.sliceSize);
    for (const [home, slices] of Map.groupBy(whole, ({ node }) => node)) this.#moveSlices(home, slices);
    return undefined;
  }

  replacement(): GangReplacement {
    const { demand, nodeOfRank } = this.#gang;
    const level = this.#draft.levelOf(lowestKnown(this.#draft, commonSpot(this.#draft, this.#nodeOfRank)));
    return {
      kind: 'replacement',
      nodeOfRank: this.#nodeOfRank,
      moves: [...this.#lost]
        .toSorted((one, other) => one - other)
        .map((rank) => ({ rank, from: nodeOfRank[rank] ?? -1, to: this.#nodeOfRank[rank] ?? -1 })),
      level: levelName(level),
      constraintMet: !demand.topology || level >= levelNumber(demand.topology.level),
    };
  }

  #moveSlices(home: number, slices: readonly BrokenSlice[]): void {
    const draft = this.#draft;
    const near = draft.tree.has(home) ? spotOfNode(home) : this.#common;
    const from = isWithin(draft, near, this.#widest) ? near : this.#common;
    const place = lowestWith(
      draft,
      { from, limit: this.#widest },
      (spot) => draft.slices(spot) >= slices.length,
    );
    const ranks = slices.flatMap((slice) => slice.ranks);
    const found = present(place, 'room in the widest place, which was counted');
    this.#give(ranks, spreadSlices(draft, found, slices.length, this.#penalty()));
  }

  #give(ranks: readonly number[], spread: readonly NodeMembers[]): void {
    let next = 0;
    for (const { node, members } of spread) {
      this.#draft.take(node, members);
      for (const rank of ranks.slice(next, next + members)) this.#nodeOfRank[rank] = node;
      next += members;
    }
  }

  #penalty(): (node: number) => number {
    return this.#fleet.penalty ?? (() => 0);
  }

  #refuse(spot: Spot, shortBy: number): ReplacementRefusal {
    return { kind: 'refusal', place: placeFacts(this.#draft, spot), shortBy };
  }
}

/** Lost ranks of one slice. */
interface BrokenSlice {
  readonly ranks: readonly number[];
  /** Where the first of them was. */
  readonly node: number;
  /** The node of a member that lives; undefined if the slice is lost as a whole. */
  readonly living: number | undefined;
}

function brokenSlices(
  { nodeOfRank }: RunningGang,
  lost: ReadonlySet<number>,
  size: number,
): readonly BrokenSlice[] {
  const slices = Map.groupBy(
    [...lost].toSorted((one, other) => one - other),
    (rank) => Math.floor(rank / size),
  );
  return [...slices].map(([slice, ranks]) => {
    const all = Array.from({ length: size }, (_, at) => slice * size + at);
    const living = all.find((rank) => !lost.has(rank));
    return {
      ranks,
      node: nodeOfRank[ranks[0] ?? 0] ?? -1,
      living: living === undefined ? undefined : nodeOfRank[living],
    };
  });
}

function ceilingOf({ topology }: GangDemand): number {
  return topology?.rule === 'required' ? levelNumber(topology.level) : FLEET;
}
