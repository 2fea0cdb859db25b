// Shows that lost members find new nodes exactly when some choice of nodes would do, as near as there is
// room, and that members which live stay where they are.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { GangDemand, GangFleet } from '../../../src/scheduler/gang/gang-demand.ts';
import { planGang } from '../../../src/scheduler/gang/plan-gang.ts';
import {
  nodesByRank,
  replaceMembers,
  type RunningGang,
} from '../../../src/scheduler/gang/replace-members.ts';
import { TopologyTree } from '../../../src/scheduler/topology/topology-tree.ts';
import { gangDemand, levelIndex, levelOf, smallNodes, treeOf, type SmallNode } from './gang-oracle.ts';

interface Loss {
  readonly nodes: readonly SmallNode[];
  readonly gang: RunningGang;
  readonly lost: readonly number[];
  readonly room: readonly number[];
}

/** A gang as it was placed, any loss of some of its members, and any room that there may be by then. */
const losses: fc.Arbitrary<Loss | undefined> = fc
  .record({
    nodes: smallNodes,
    demand: gangDemand,
    lost: fc.uniqueArray(fc.nat({ max: 14 }), { minLength: 1, maxLength: 4 }),
    room: fc.array(fc.nat({ max: 2 }), { minLength: 6, maxLength: 6 }),
  })
  .map(({ nodes, demand, lost, room }) => {
    const plan = planGang({ tree: treeOf(nodes), room: Int32Array.from(nodes, ({ gpus }) => gpus) }, demand);
    if (plan.kind === 'refusal') return undefined;
    const ranks = lost.filter((rank) => rank < plan.members);
    if (ranks.length === 0 || ranks.length === plan.members) return undefined;
    return { nodes, gang: { demand, nodeOfRank: nodesByRank(plan) }, lost: ranks, room };
  });

/** Every choice of nodes for the lost ranks within the room. */
function* choices({ nodes, gang, lost, room }: Loss): Generator<Int32Array> {
  for (let code = 0; code < nodes.length ** lost.length; code++) {
    const left = [...room];
    const nodeOfRank = gang.nodeOfRank.slice();
    let rest = code;
    for (const rank of lost) {
      const node = rest % nodes.length;
      nodeOfRank[rank] = node;
      left[node]! -= 1;
      rest = Math.floor(rest / nodes.length);
    }
    if (left.every((count) => count >= 0)) yield nodeOfRank;
  }
}

function isAllowed(nodes: readonly SmallNode[], demand: GangDemand, nodeOfRank: Int32Array): boolean {
  const { topology, slices } = demand;
  const level = levelOf(nodes, [...nodeOfRank]);
  if (topology?.rule === 'required' && level < levelIndex(topology.level)) return false;
  if (!slices) return true;
  const starts = Array.from({ length: nodeOfRank.length / slices.size }, (_, slice) => slice * slices.size);
  return starts.every(
    (rank) => levelOf(nodes, [...nodeOfRank.subarray(rank, rank + slices.size)]) >= levelIndex(slices.level),
  );
}

function fleetOf({ nodes, room }: Loss): GangFleet {
  return { tree: treeOf(nodes), room: Int32Array.from(nodes, (_, node) => room[node]!) };
}

test('brute force agrees on what can be replaced', () => {
  let replaced = 0;
  let refused = 0;
  fc.assert(
    fc.property(losses, (loss) => {
      if (!loss) return;
      const { nodes, gang, lost } = loss;
      const answer = replaceMembers(gang, lost, fleetOf(loss));
      const possible = choices(loss).some((choice) => isAllowed(nodes, gang.demand, choice));
      expect(answer.kind).toBe(possible ? 'replacement' : 'refusal');
      if (answer.kind === 'refusal') {
        refused++;
        expect(answer.shortBy).toBeGreaterThan(0);
        return;
      }
      replaced++;
      expect(isAllowed(nodes, gang.demand, answer.nodeOfRank)).toBe(true);
      expectOnlyMoves(loss, answer.nodeOfRank);
      expect(levelIndex(answer.level)).toBe(levelOf(nodes, [...answer.nodeOfRank]));
      expect(answer.moves.map(({ rank, from, to }) => [rank, from, to])).toEqual(
        lost
          .toSorted((one, other) => one - other)
          .map((rank) => [rank, gang.nodeOfRank[rank], answer.nodeOfRank[rank]]),
      );
    }),
    { numRuns: 2000 },
  );
  expect(Math.min(replaced, refused)).toBeGreaterThan(20);
});

function expectOnlyMoves({ gang, lost, room }: Loss, nodeOfRank: Int32Array): void {
  const taken = Map.groupBy(lost, (rank) => nodeOfRank[rank]!);
  for (const [node, ranks] of taken) expect(ranks.length).toBeLessThanOrEqual(room[node]!);
  for (const [rank, node] of nodeOfRank.entries()) {
    if (!lost.includes(rank)) expect(node).toBe(gang.nodeOfRank[rank]);
  }
}

const DEMAND: GangDemand = { members: { min: 4, max: 4 }, topology: { level: 'rack', rule: 'preferred' } };

describe('one lost member of a gang without slices', () => {
  const tree = new TopologyTree();
  const places = [
    { site: 's', rack: 'a', nvlinkDomain: 'x' },
    { site: 's', rack: 'a', nvlinkDomain: 'x' },
    { site: 's', rack: 'a', nvlinkDomain: 'y' },
    { site: 's', rack: 'b', nvlinkDomain: 'x' },
    { site: 't', rack: 'a', nvlinkDomain: 'x' },
  ];
  for (const [node, place] of places.entries()) tree.add(node, `n${node}`, place);
  const gang = { demand: DEMAND, nodeOfRank: Int32Array.of(0, 0, 1, 1) };
  const to = (room: readonly number[]): number | undefined => {
    const answer = replaceMembers(gang, [3], { tree, room: Int32Array.from(room) });
    return answer.kind === 'replacement' ? answer.moves[0]?.to : undefined;
  };

  test('goes to the nearest room: its node, its NVLink domain, its rack, its site, anywhere', () => {
    expect(to([1, 1, 1, 1, 1])).toBe(1);
    expect(to([1, 0, 1, 1, 1])).toBe(0);
    expect(to([0, 0, 1, 1, 1])).toBe(2);
    expect(to([0, 0, 0, 1, 1])).toBe(3);
    expect(to([0, 0, 0, 0, 1])).toBe(4);
    expect(to([0, 0, 0, 0, 0])).toBeUndefined();
  });

  test('says where it had to leave a preferred level, and does not leave a required one', () => {
    const room = Int32Array.of(0, 0, 0, 1, 1);
    expect(replaceMembers(gang, [3], { tree, room })).toMatchObject({ level: 'site', constraintMet: false });
    const required = { ...DEMAND, topology: { level: 'rack', rule: 'required' } } as const;
    expect(replaceMembers({ ...gang, demand: required }, [3], { tree, room })).toEqual({
      kind: 'refusal',
      place: { level: 'rack', name: 's/a', members: 0 },
      shortBy: 1,
    });
  });

  test('is replaced near the others if its node has left the fleet', () => {
    const nodeOfRank = Int32Array.of(0, 0, 1, 9);
    const answer = replaceMembers({ ...gang, nodeOfRank }, [3], { tree, room: Int32Array.of(0, 0, 1, 1, 1) });
    expect(answer).toMatchObject({
      kind: 'replacement',
      level: 'rack',
      moves: [{ rank: 3, from: 9, to: 2 }],
    });
  });

  test('stays in its rack although its node was moved to another one', () => {
    const required = { ...DEMAND, topology: { level: 'rack', rule: 'required' } } as const;
    const moved = { demand: required, nodeOfRank: Int32Array.of(0, 0, 1, 3) };
    const answer = replaceMembers(moved, [3], { tree, room: Int32Array.of(0, 0, 1, 1, 1) });
    expect(answer).toMatchObject({
      kind: 'replacement',
      level: 'rack',
      moves: [{ rank: 3, from: 3, to: 2 }],
    });
  });

  test('a gang of which nobody lives is planned anew, not replaced', () => {
    expect(() => replaceMembers(gang, [0, 1, 2, 3], { tree, room: new Int32Array(5) })).toThrow('lives');
  });
});
