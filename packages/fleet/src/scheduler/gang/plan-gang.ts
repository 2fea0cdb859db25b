import { assert } from '@clawbernetes/kernel';
import { levelName, levelNumber, NODE, TOPOLOGY_LEVELS } from '../topology/topology-tree.ts';
import { allowedCeilings, checkDemand, roomUpTo, sliceBounds } from './gang-bounds.ts';
import type { GangDemand, GangFleet } from './gang-demand.ts';
import type { GangPlacement, GangPlan, GangRefusal } from './gang-plan.ts';
import { placeFacts, refuseGang, traceLevels } from './gang-trace.ts';
import { surveyLevels, tightestPlace, type LevelSurvey } from './level-survey.ts';
import { SliceCapacity, type Spot } from './slice-capacity.ts';
import { spreadSlices, type NodeMembers } from './spread-gang.ts';

/**
 * Places a gang as a whole or says why not. The lowest level that has a place for all of it wins; of its
 * places the tightest. An elastic gang first takes the size that its topology level allows, then the lowest
 * level for that size. Exact: it refuses only what no assignment of members to nodes could do. Pure.
 */
export function planGang(fleet: GangFleet, demand: GangDemand): GangPlan | GangRefusal {
  checkDemand(demand);
  const capacity = new SliceCapacity(fleet, demand.slices);
  const surveys = surveyLevels(capacity);
  const { least, most } = sliceBounds(demand);
  for (const ceiling of allowedCeilings(demand)) {
    const slices = Math.min(most, roomUpTo(surveys, ceiling));
    if (slices < least) continue;
    return toPlan(
      { fleet, demand, capacity, surveys },
      lowestPlace(capacity, surveys, slices, fleet),
      slices,
    );
  }
  return refuseGang(fleet, demand, capacity, surveys);
}

function lowestPlace(
  capacity: SliceCapacity,
  surveys: readonly LevelSurvey[],
  slices: number,
  { penalty = noPenalty }: GangFleet,
): Spot {
  const level = surveys.findLastIndex(({ most }) => most >= slices);
  const place = tightestPlace(capacity, level, slices, penalty);
  assert(place !== undefined, 'a level that was found to have room has a place');
  return place;
}

export function noPenalty(): number {
  return 0;
}

interface Search {
  readonly fleet: GangFleet;
  readonly demand: GangDemand;
  readonly capacity: SliceCapacity;
  readonly surveys: readonly LevelSurvey[];
}

function toPlan({ fleet, demand, capacity, surveys }: Search, place: Spot, slices: number): GangPlan {
  const members = slices * capacity.sliceSize;
  const placements = toPlacements(spreadSlices(capacity, place, slices, fleet.penalty ?? noPenalty));
  const level = capacity.levelOf(place);
  return {
    kind: 'plan',
    demand,
    members,
    placements,
    level: levelName(level),
    place: placeFacts(capacity, place),
    constraintMet: !demand.topology || level >= levelNumber(demand.topology.level),
    domainsUsed: countDomains(fleet, placements),
    trace: traceLevels(capacity, surveys, slices),
  };
}

function toPlacements(spread: readonly NodeMembers[]): readonly GangPlacement[] {
  let firstRank = 0;
  return spread.map(({ node, members }) => {
    const placement = { node, members, firstRank };
    firstRank += members;
    return placement;
  });
}

export function countDomains(
  { tree }: GangFleet,
  placements: readonly { readonly node: number }[],
): GangPlan['domainsUsed'] {
  const used = TOPOLOGY_LEVELS.map(() => new Set<number>());
  for (const { node } of placements) {
    for (const [level, domain] of tree.path(node).entries()) used[level]?.add(domain);
    used[NODE]?.add(node);
  }
  const [fleet, site, rack, nvlinkDomain, nodes] = used.map(({ size }) => size);
  return {
    fleet: fleet ?? 0,
    site: site ?? 0,
    rack: rack ?? 0,
    'nvlink-domain': nvlinkDomain ?? 0,
    node: nodes ?? 0,
  };
}
