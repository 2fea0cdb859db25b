// Shows that a gang is placed exactly when some assignment of its members exists, on the lowest level that
// any reaches, in ranks of topology order; and that a refusal's figures are true.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { GangDemand, GangFleet } from '../../../src/scheduler/gang/gang-demand.ts';
import type { GangPlan, GangRefusal } from '../../../src/scheduler/gang/gang-plan.ts';
import { planGang } from '../../../src/scheduler/gang/plan-gang.ts';
import { nodesByRank } from '../../../src/scheduler/gang/replace-members.ts';
import { DomainCapacity } from '../../../src/scheduler/topology/domain-capacity.ts';
import { TopologyTree, type TopologyPlace } from '../../../src/scheduler/topology/topology-tree.ts';
import {
  gangDemand,
  levelIndex,
  levelOf,
  lowestLevels,
  smallNodes,
  treeOf,
  type SmallNode,
} from './gang-oracle.ts';

const gpusEach = fc.integer({ min: 1, max: 3 });

interface Case {
  readonly nodes: readonly SmallNode[];
  readonly demand: GangDemand;
  readonly room: readonly number[];
  readonly empty: readonly number[];
}

const cases: fc.Arbitrary<Case> = fc
  .record({ nodes: smallNodes, demand: gangDemand, gpus: gpusEach })
  .map(({ nodes, demand, gpus }) => ({
    nodes,
    demand,
    room: nodes.map((node) => Math.floor(node.freeGpus / gpus)),
    empty: nodes.map((node) => Math.floor(node.gpus / gpus)),
  }));

function fleetOf({ nodes, room, empty }: Case): GangFleet {
  return { tree: treeOf(nodes), room: Int32Array.from(room), roomWhenEmpty: (node) => empty[node]! };
}

function ceilings({ topology }: GangDemand): readonly number[] {
  if (!topology) return [0];
  const level = levelIndex(topology.level);
  return topology.rule === 'required' ? [level] : Array.from({ length: level + 1 }, (_, up) => level - up);
}

/** The most members, up to `limit`, that fit into one place of the level or below; 0 if none do. */
function mostWithin(lowest: readonly number[], ceiling: number, limit: number): number {
  return lowest.findLastIndex((level, members) => members <= limit && level >= ceiling);
}

function expected({ nodes, room, demand }: Case): { members: number; level: number } | undefined {
  const lowest = lowestLevels(nodes, room, demand.slices);
  for (const ceiling of ceilings(demand)) {
    const members = mostWithin(lowest, ceiling, demand.members.max);
    if (members >= demand.members.min) return { members, level: lowest[members]! };
  }
  return undefined;
}

test('brute force agrees on what fits, and finds no lower level', () => {
  fc.assert(
    fc.property(cases, (small) => {
      const answer = planGang(fleetOf(small), small.demand);
      const best = expected(small);
      if (answer.kind === 'refusal') {
        expect(best).toBeUndefined();
        expectTruth(small, answer);
        return;
      }
      expect({ members: answer.members, level: levelIndex(answer.level) }).toEqual(best);
      expectSound(small, answer);
    }),
    { numRuns: 1500 },
  );
});

function expectSound({ nodes, room, demand }: Case, plan: GangPlan): void {
  const used = plan.placements.map(({ node }) => node);
  expect(new Set(used).size).toBe(used.length);
  for (const { node, members } of plan.placements) {
    expect(members).toBeGreaterThan(0);
    expect(members).toBeLessThanOrEqual(room[node]!);
  }
  expect(levelOf(nodes, used)).toBe(levelIndex(plan.level));
  expect(plan.constraintMet).toBe(
    !demand.topology || levelIndex(plan.level) >= levelIndex(demand.topology.level),
  );
  expect(plan.place.members).toBeGreaterThanOrEqual(plan.members);
  expectTopologyOrder(nodes, plan);
  expectSlices(nodes, plan);
}

/** On every level, the members of one domain have ranks in one run. */
function expectTopologyOrder(nodes: readonly SmallNode[], plan: GangPlan): void {
  let nextRank = 0;
  for (const { firstRank, members } of plan.placements) {
    expect(firstRank).toBe(nextRank);
    nextRank += members;
  }
  expect(nextRank).toBe(plan.members);
  const order = plan.placements.map(({ node }) => nodes[node]!.place);
  for (const depth of [1, 2, 3]) {
    const keys = order.map(({ site, rack, nvlinkDomain }) =>
      JSON.stringify([site ?? null, rack ?? null, nvlinkDomain ?? null].slice(0, depth)),
    );
    const runs = keys.filter((key, at) => key !== keys[at - 1]);
    expect(new Set(runs).size).toBe(runs.length);
    const levels = ['site', 'rack', 'nvlink-domain'] as const;
    expect(plan.domainsUsed[levels[depth - 1]!]).toBe(runs.length);
  }
}

function expectSlices(nodes: readonly SmallNode[], plan: GangPlan): void {
  const { slices } = plan.demand;
  if (!slices) return;
  const byRank = nodesByRank(plan);
  for (let rank = 0; rank < plan.members; rank += slices.size) {
    const slice = [...byRank.subarray(rank, rank + slices.size)];
    expect(levelOf(nodes, slice)).toBeGreaterThanOrEqual(levelIndex(slices.level));
  }
}

function expectTruth({ nodes, room, empty, demand }: Case, refusal: GangRefusal): void {
  const widest = ceilings(demand).at(-1)!;
  const now = lowestLevels(nodes, room, demand.slices);
  const ever = lowestLevels(nodes, empty, demand.slices);
  const neverFits = mostWithin(ever, widest, Infinity) < demand.members.min;
  const anywhere = mostWithin(now, 0, Infinity);
  expect(levelIndex(refusal.level)).toBe(widest);
  expect(demand.members.min - refusal.shortBy).toBe(mostWithin(now, widest, Infinity));
  expect(refusal.anywhere).toBe(anywhere);
  expect(refusal.whenEmpty !== undefined).toBe(neverFits);
  if (refusal.whenEmpty) {
    expect(demand.members.min - refusal.whenEmpty.shortBy).toBe(mostWithin(ever, widest, Infinity));
  }
  const later = anywhere >= demand.members.min ? 'topology' : 'waiting-for-capacity';
  expect(refusal.reason).toBe(neverFits ? 'never-fits' : later);
}

test('counters that are kept give the same plan', () => {
  fc.assert(
    fc.property(cases, (small) => {
      const fleet = fleetOf(small);
      const capacity = new DomainCapacity(fleet.tree);
      capacity.register('member', (node) => small.room[node]!);
      const kept = planGang({ ...fleet, ...capacity.of('member')! }, small.demand);
      expect(kept).toEqual(planGang(fleet, small.demand));
    }),
  );
});

function build(nodes: readonly (readonly [TopologyPlace, number])[]): GangFleet {
  const tree = new TopologyTree();
  for (const [node, [place]] of nodes.entries()) tree.add(node, `n${node}`, place);
  return { tree, room: Int32Array.from(nodes, ([, room]) => room) };
}

function planned(fleet: GangFleet, demand: GangDemand): GangPlan {
  const answer = planGang(fleet, demand);
  if (answer.kind === 'refusal') throw new Error(`refused: ${answer.reason}`);
  return answer;
}

function exactly(members: number): GangDemand['members'] {
  return { min: members, max: members };
}

const A = { site: 's', rack: 'a' };
const B = { site: 's', rack: 'b' };

describe('of the places that fit', () => {
  test.each([
    { order: 'last', rooms: [4, 4, 3, 3], six: 's/b', three: 'n2' },
    { order: 'first', rooms: [3, 3, 4, 4], six: 's/a', three: 'n0' },
  ])('the one with the fewest members to spare is taken, if it comes $order', ({ rooms, six, three }) => {
    const fleet = build(rooms.map((room, node) => [node < 2 ? A : B, room]));
    expect(planned(fleet, { members: exactly(6) }).place.name).toBe(six);
    expect(planned(fleet, { members: exactly(7) }).place.members).toBe(8);
    expect(planned(fleet, { members: exactly(3) }).place.name).toBe(three);
  });

  test('parts are filled largest first, the last one is the tightest for the remainder', () => {
    const fleet = build([
      [A, 2],
      [A, 5],
      [A, 3],
      [A, 5],
      [A, 1],
    ]);
    const placed = planned(fleet, { members: exactly(12) }).placements;
    expect(placed.map(({ node, members }) => [node, members])).toEqual([
      [1, 5],
      [3, 5],
      [0, 2],
    ]);
  });

  test('the node of least penalty, and of equals the first, is taken', () => {
    const fleet = build([
      [A, 1],
      [A, 1],
      [A, 1],
      [A, 1],
    ]);
    const suspicious = (node: number): number => (node === 0 ? 2 : node === 1 ? 1 : 0);
    const nodes = (members: number): number[] =>
      planned({ ...fleet, penalty: suspicious }, { members: exactly(members) }).placements.map(
        ({ node }) => node,
      );
    expect(nodes(1)).toEqual([2]);
    expect(nodes(3)).toEqual([2, 3, 1]);
  });
});

describe('an elastic gang', () => {
  const fleet = build([
    [A, 4],
    [A, 4],
    [B, 3],
  ]);
  const members = { min: 2, max: 20 };

  test('grows as far as its level allows', () => {
    const inRack = planned(fleet, { members, topology: { level: 'rack', rule: 'required' } });
    expect([inRack.members, inRack.level]).toEqual([8, 'rack']);
    const inNode = planned(fleet, { members, topology: { level: 'node', rule: 'preferred' } });
    expect([inNode.members, inNode.level]).toEqual([4, 'node']);
    expect(planned(fleet, { members }).members).toBe(11);
  });

  test('climbs from a preferred level only for its minimum', () => {
    const wide = planned(fleet, {
      members: { min: 9, max: 10 },
      topology: { level: 'rack', rule: 'preferred' },
    });
    expect([wide.members, wide.level, wide.constraintMet]).toEqual([10, 'site', false]);
  });
});

describe('what is not known', () => {
  test('promises no nearness: nodes that do not say their rack are in none', () => {
    const fleet = {
      ...build([
        [{}, 1],
        [{}, 1],
      ]),
      roomWhenEmpty: () => 1,
    };
    const refusal = planGang(fleet, { members: exactly(2), topology: { level: 'rack', rule: 'required' } });
    expect(refusal).toMatchObject({ kind: 'refusal', reason: 'never-fits', unknownPlace: 2, anywhere: 2 });
    expect(planned(fleet, { members: exactly(1), topology: { level: 'rack', rule: 'required' } }).level).toBe(
      'node',
    );
    expect(planned(fleet, { members: exactly(2) }).level).toBe('fleet');
  });
});

describe('a demand that no gang has', () => {
  const fleet = build([[A, 4]]);
  test.each([
    { members: { min: 0, max: 1 } },
    { members: { min: 2, max: 1 } },
    { members: exactly(65_537) },
    { members: exactly(3), slices: { size: 2, level: 'node' as const } },
  ])('is refused loudly: %j', (demand) => {
    expect(() => planGang(fleet, demand)).toThrow('Invariant broken');
  });
});

test('the record of a large fleet stays small', () => {
  const fleet = build(
    Array.from({ length: 2000 }, (_, node) => [
      { site: 's', rack: `r${node % 50}`, nvlinkDomain: `v${node % 200}` },
      1,
    ]),
  );
  const { trace } = planned(fleet, { members: exactly(300) });
  expect(trace.map(({ level, places, shortBy }) => [level, places, shortBy])).toEqual([
    ['fleet', 1, 0],
    ['site', 1, 0],
    ['rack', 50, 260],
    ['nvlink-domain', 200, 290],
    ['node', 2000, 299],
  ]);
  expect(JSON.stringify(trace).length).toBeLessThan(1000);
});
