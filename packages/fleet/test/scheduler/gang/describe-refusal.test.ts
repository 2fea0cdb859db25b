// Shows that people are told what a gang lacks, where it is nearest to fitting, and what would help.
import { describe, expect, test } from 'vitest';
import { describeRefusal } from '../../../src/scheduler/gang/describe-refusal.ts';
import type { GangDemand } from '../../../src/scheduler/gang/gang-demand.ts';
import { planGang } from '../../../src/scheduler/gang/plan-gang.ts';
import { TopologyTree, type TopologyPlace } from '../../../src/scheduler/topology/topology-tree.ts';

/** Per node: its place, the members that fit now, and those that fit when it is empty. */
type Node = readonly [place: TopologyPlace, room: number, empty: number];

const A = { site: 's', rack: 'a' };
const B = { site: 's', rack: 'b' };
const IN_RACK: GangDemand['topology'] = { level: 'rack', rule: 'required' };

function why(nodes: readonly Node[], demand: GangDemand): string {
  const tree = new TopologyTree();
  for (const [node, [place]] of nodes.entries()) tree.add(node, `n${node}`, place);
  const room = Int32Array.from(nodes, ([, now]) => now);
  const answer = planGang({ tree, room, roomWhenEmpty: (node) => nodes[node]![2] }, demand);
  return answer.kind === 'plan' ? 'it fits' : describeRefusal(answer);
}

describe('a gang waits', () => {
  const members = { min: 6, max: 6 };

  test('for room in one rack, while the fleet has enough', () => {
    const nodes: Node[] = [
      [A, 4, 8],
      [B, 3, 8],
    ];
    expect(why(nodes, { members, topology: IN_RACK })).toBe(
      'It needs 6 members in one rack; s/a, which has most room, takes 4 now, 2 too few. 7 fit into the fleet: ask for a ' +
        'wider level, or for this one as preferred, to start sooner.',
    );
  });

  test('for room anywhere', () => {
    expect(why([[A, 2, 8]], { members })).toBe(
      'It needs 6 members in the fleet; there is room for 2 now, 4 too few. It starts when enough is free.',
    );
  });
});

describe('a gang can never fit', () => {
  test('because no rack is large enough', () => {
    const nodes: Node[] = [
      [A, 0, 4],
      [B, 0, 3],
    ];
    const slices = { size: 2, level: 'node' } as const;
    expect(why(nodes, { members: { min: 6, max: 8 }, topology: IN_RACK, slices })).toBe(
      'It can never fit, because it needs 6 members in slices of 2 in one rack, and s/a, which has most room, takes 4 ' +
        'when empty, 2 too few. Ask for fewer members, or for a wider level, or add nodes.',
    );
  });

  test('because nodes do not say their rack', () => {
    const unplaced: Node[] = [
      [{}, 1, 1],
      [{}, 1, 1],
    ];
    expect(why(unplaced, { members: { min: 2, max: 2 }, topology: IN_RACK })).toBe(
      'It can never fit, because it needs 2 members in one rack, and n0, which has most room, takes 1 when empty, ' +
        '1 too few. Nodes with room for 2 do not say where they are: give them the label rack.',
    );
  });

  test('because there are no nodes', () => {
    expect(why([], { members: { min: 2, max: 2 }, topology: IN_RACK })).toContain(
      'no node says in which rack it is',
    );
  });
});
