// Tries every assignment of a gang to the nodes of a small fleet, from the definitions alone: it knows no
// tree.
import fc from 'fast-check';
import type { GangDemand, GangSlices } from '../../../src/scheduler/gang/gang-demand.ts';
import {
  TOPOLOGY_LEVELS,
  TopologyTree,
  type TopologyPlace,
} from '../../../src/scheduler/topology/topology-tree.ts';

export interface SmallNode {
  readonly place: TopologyPlace;
  readonly gpus: number;
  readonly freeGpus: number;
}

const label = fc.constantFrom('a', 'b', undefined);
const smallNode: fc.Arbitrary<SmallNode> = fc
  .record({
    place: fc.record({ site: fc.constantFrom('a', undefined), rack: label, nvlinkDomain: label }),
    gpus: fc.integer({ min: 0, max: 4 }),
    busy: fc.integer({ min: 0, max: 4 }),
  })
  .map(({ place, gpus, busy }) => ({ place, gpus, freeGpus: Math.max(0, gpus - busy) }));

export const smallNodes = fc.array(smallNode, { minLength: 1, maxLength: 6 });

const anyLevel = fc.constantFrom(...TOPOLOGY_LEVELS);

export const gangDemand: fc.Arbitrary<GangDemand> = fc
  .record({
    size: fc.integer({ min: 1, max: 3 }),
    slices: fc.integer({ min: 1, max: 5 }),
    more: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3 })),
    topology: fc.option(
      fc.record({
        level: anyLevel,
        rule: fc.constantFrom<'required' | 'preferred'>('required', 'preferred'),
      }),
      { nil: undefined },
    ),
    sliceLevel: anyLevel,
  })
  .map(({ size, slices, more, topology, sliceLevel }) => ({
    members: { min: size * slices, max: size * (slices + more) },
    ...(topology ? { topology } : {}),
    ...(size > 1 ? { slices: { size, level: sliceLevel } } : {}),
  }));

export function treeOf(nodes: readonly SmallNode[]): TopologyTree {
  const tree = new TopologyTree();
  for (const [node, { place }] of nodes.entries()) tree.add(node, `n${node}`, place);
  return tree;
}

export function levelIndex(name: (typeof TOPOLOGY_LEVELS)[number]): number {
  return TOPOLOGY_LEVELS.indexOf(name);
}

/** The lowest level on which one known place holds all these nodes. */
export function levelOf(nodes: readonly SmallNode[], used: readonly number[]): number {
  if (new Set(used).size <= 1) return 4;
  const paths = used.map((node) => {
    const { site, rack, nvlinkDomain } = nodes[node]!.place;
    return [site, rack, nvlinkDomain];
  });
  for (const depth of [3, 2, 1]) {
    const [first] = paths;
    const same = paths.every((path) => path.slice(0, depth).every((name, at) => name === first![at]));
    if (same && first![depth - 1] !== undefined) return depth;
  }
  return 0;
}

/** Whether members, `counts[node]` on each node, can be divided into slices that keep within their level. */
export function canSlice(
  nodes: readonly SmallNode[],
  counts: readonly number[],
  slices?: GangSlices,
): boolean {
  if (!slices) return true;
  const first = counts.findIndex((count) => count > 0);
  if (first < 0) return true;
  return slicesWith(take(counts, first), first, slices.size - 1).some(
    ({ slice, rest }) =>
      levelOf(nodes, [first, ...slice]) >= levelIndex(slices.level) && canSlice(nodes, rest, slices),
  );
}

/** Every choice of `size` further members, from node `from` on, with what is then left. */
function slicesWith(
  counts: readonly number[],
  from: number,
  size: number,
): readonly { readonly slice: readonly number[]; readonly rest: readonly number[] }[] {
  if (size === 0) return [{ slice: [], rest: counts }];
  return counts.flatMap((count, node) => {
    if (node < from || count === 0) return [];
    return slicesWith(take(counts, node), node, size - 1).map(({ slice, rest }) => ({
      slice: [node, ...slice],
      rest,
    }));
  });
}

function take(counts: readonly number[], node: number): readonly number[] {
  return counts.map((count, at) => (at === node ? count - 1 : count));
}

/** By number of members: the lowest level on which so many fit into one place; -1 if they fit nowhere. */
export function lowestLevels(
  nodes: readonly SmallNode[],
  room: readonly number[],
  slices: GangSlices | undefined,
): readonly number[] {
  const lowest: number[] = Array(room.reduce((sum, count) => sum + count, 1)).fill(-1);
  for (const counts of assignments(room)) {
    const members = counts.reduce((sum, count) => sum + count, 0);
    if (members % (slices?.size ?? 1) !== 0) continue;
    const level = levelOf(
      nodes,
      counts.flatMap((count, node) => (count > 0 ? [node] : [])),
    );
    if (level > lowest[members]! && canSlice(nodes, counts, slices)) lowest[members] = level;
  }
  return lowest;
}

function assignments(room: readonly number[]): readonly (readonly number[])[] {
  return room.reduce<readonly (readonly number[])[]>(
    (counts, most) =>
      Array.from({ length: most + 1 }, (_, count) => counts.map((before) => [...before, count])).flat(),
    [[]],
  );
}
