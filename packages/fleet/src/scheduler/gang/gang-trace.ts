import { FLEET, levelName, NVLINK_DOMAIN, ROOT } from '../topology/topology-tree.ts';
import type { GangDemand, GangFleet } from './gang-demand.ts';
import type { GangRefusal, LevelTrace, PlaceFacts, Shortfall } from './gang-plan.ts';
import { surveyLevels, type LevelSurvey } from './level-survey.ts';
import { allowedCeilings, roomUpTo, sliceBounds } from './gang-bounds.ts';
import { SliceCapacity, type Spot } from './slice-capacity.ts';

export function placeFacts(capacity: SliceCapacity, spot: Spot): PlaceFacts {
  const { tree, sliceSize } = capacity;
  return {
    level: levelName(capacity.levelOf(spot)),
    name: spot < 0 ? tree.nodeName(~spot) : tree.domainName(spot),
    members: capacity.slices(spot) * sliceSize,
  };
}

export function traceLevels(
  capacity: SliceCapacity,
  surveys: readonly LevelSurvey[],
  slices: number,
): readonly LevelTrace[] {
  return surveys.map(({ level, places, largest, most }) => ({
    level: levelName(level),
    places,
    ...(largest === undefined ? {} : { best: placeFacts(capacity, largest) }),
    shortBy: Math.max(0, slices - most) * capacity.sliceSize,
  }));
}

/** Says what is missing now, and on an empty fleet if waiting cannot help. */
export function refuseGang(
  fleet: GangFleet,
  demand: GangDemand,
  capacity: SliceCapacity,
  surveys: readonly LevelSurvey[],
): GangRefusal {
  const { least } = sliceBounds(demand);
  const now = shortfall(demand, capacity, surveys);
  const whenEmpty = shortWhenEmpty(fleet, demand);
  const elsewhere = now.anywhere >= demand.members.min;
  return {
    kind: 'refusal',
    reason: whenEmpty ? 'never-fits' : elsewhere ? 'topology' : 'waiting-for-capacity',
    demand,
    ...now,
    ...(whenEmpty ? { whenEmpty } : {}),
    trace: traceLevels(capacity, surveys, least),
  };
}

function shortWhenEmpty({ tree, roomWhenEmpty }: GangFleet, demand: GangDemand): Shortfall | undefined {
  if (!roomWhenEmpty) return undefined;
  const room = new Int32Array(tree.nodeSlots);
  for (const domain of tree.domainsAt(NVLINK_DOMAIN)) {
    for (const node of tree.children(domain)) room[node] = roomWhenEmpty(node);
  }
  const capacity = new SliceCapacity({ tree, room }, demand.slices);
  const surveys = surveyLevels(capacity);
  const short = shortfall(demand, capacity, surveys);
  return short.shortBy > 0 ? short : undefined;
}

/** Against the widest level that the gang may span. */
function shortfall(demand: GangDemand, capacity: SliceCapacity, surveys: readonly LevelSurvey[]): Shortfall {
  const ceiling = allowedCeilings(demand).at(-1) ?? FLEET;
  const most = roomUpTo(surveys, ceiling);
  const nearest = surveys.slice(ceiling).find((survey) => survey.most === most)?.largest;
  return {
    level: levelName(ceiling),
    shortBy: Math.max(0, sliceBounds(demand).least - most) * capacity.sliceSize,
    ...(nearest === undefined ? {} : { nearest: placeFacts(capacity, nearest) }),
    anywhere: capacity.slices(ROOT) * capacity.sliceSize,
    unknownPlace: inUnknownPlaces(capacity, ceiling),
  };
}

function inUnknownPlaces(capacity: SliceCapacity, level: number): number {
  const { tree, sliceSize } = capacity;
  let slices = 0;
  for (const domain of tree.domainsAt(level)) {
    if (!tree.isKnown(domain)) slices += capacity.slices(domain);
  }
  return slices * sliceSize;
}
