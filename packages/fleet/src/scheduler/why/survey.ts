import {
  MAX_WHY_ITEMS,
  OBSTACLES,
  type Obstacle,
  type ObstacleCode,
  type ObstacleCount,
} from '@clawbernetes/protocol';
import type { Shape } from '../resources.ts';
import { sliced, type Sliced } from '../slices.ts';
import { countNodes, type Alike } from './alike.ts';
import { describeCount } from './obstacle-words.ts';
import { obstaclesOf } from './obstacle.ts';

/** Nodes that cannot take a shape now, and why. */
export interface Hindered extends Alike {
  /** At least one, most fundamental first. */
  readonly obstacles: readonly Obstacle[];
}

export interface Survey {
  /** How many nodes could take it now. */
  readonly able: number;
  /** The nearest to able first. */
  readonly hindered: readonly Hindered[];
  readonly counts: readonly ObstacleCount[];
}

/** Of a group of nodes, in looks. */
const LOOKS_PER_GROUP = 4;

/** Looks at all nodes for what keeps them from taking a shape; those that are alike are looked at as one. */
export function* surveyNodes(alike: readonly Alike[], shape: Shape): Sliced<Survey> {
  const able: Alike[] = [];
  const hindered: Hindered[] = [];
  const far = new Map<Hindered, readonly [number, number]>();
  yield* sliced(alike, LOOKS_PER_GROUP, (group) => {
    const obstacles = obstaclesOf(group.example, shape);
    const one = { ...group, obstacles };
    if (obstacles.length === 0) return void able.push(group);
    hindered.push(one);
    far.set(one, distance(one));
  });
  return {
    able: countNodes(able),
    hindered: hindered.toSorted((left, right) => compare(far.get(left), far.get(right))),
    counts: countObstacles(hindered, shape),
  };
}

/** How hard each is to overcome: what is in use becomes free by itself, what is not there never does. */
const HARDNESS: Record<ObstacleCode, number> = {
  'gpus-in-use': 1,
  'gpu-share-in-use': 1,
  'nvlink-in-use': 1,
  'gpus-apart-in-use': 1,
  'cpu-in-use': 1,
  'memory-in-use': 1,
  reserved: 2,
  cordoned: 2,
  draining: 3,
  'not-ready': 3,
  unreachable: 4,
  'gpu-health': 4,
  taint: 5,
  label: 6,
  affinity: 6,
  'other-node': 7,
  sandbox: 8,
  executor: 8,
  'gpu-model': 9,
  'gpu-count': 9,
  'mig-profile': 9,
  nvlink: 9,
  'gpus-apart': 9,
  cpu: 9,
  memory: 9,
};

/** Hardness of all obstacles together; then by the share of what is needed that is missing. */
function distance({ obstacles }: Hindered): readonly [number, number] {
  const hardness = obstacles.reduce((sum, { code }) => sum + HARDNESS[code], 0);
  const missing = obstacles.reduce(
    (sum, { needs, has = 0 }) => sum + (needs === undefined ? 0 : (needs - has) / needs),
    0,
  );
  return [hardness, missing];
}

function compare(
  [hard, missing]: readonly [number, number] = [0, 0],
  [otherHard, otherMissing]: readonly [number, number] = [0, 0],
): number {
  return hard - otherHard || missing - otherMissing;
}

/** Each node once, under its first obstacle; the most frequent first. */
function countObstacles(hindered: readonly Hindered[], shape: Shape): readonly ObstacleCount[] {
  const firsts = hindered.flatMap(({ nodes, obstacles }) =>
    obstacles.slice(0, 1).map((obstacle) => ({ obstacle, count: nodes.length })),
  );
  const groups = Map.groupBy(firsts, ({ obstacle: { code, what = '' } }) => `${code} ${what}`);
  return [...groups.values()]
    .flatMap((alike) => {
      const count = alike.reduce((sum, one) => sum + one.count, 0);
      return alike.slice(0, 1).map(({ obstacle }) => countOf(shape, obstacle, count));
    })
    .toSorted((left, right) => right.nodes - left.nodes || order(left) - order(right))
    .slice(0, MAX_WHY_ITEMS);
}

function countOf(shape: Shape, obstacle: Obstacle, nodes: number): ObstacleCount {
  const { code, what } = obstacle;
  return {
    code,
    ...(what === undefined ? {} : { what }),
    nodes,
    message: describeCount(shape, obstacle, nodes),
  };
}

function order({ code }: ObstacleCount): number {
  return OBSTACLES.indexOf(code);
}
