// Shows that the members of a gang are spread as evenly as they must be whenever any choice of nodes is,
// against all of them on small fleets, and never less evenly than that.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { GangSpread } from '../../../src/scheduler/gang/gang-demand.ts';
import { planGang } from '../../../src/scheduler/gang/plan-gang.ts';
import { spreadRoom } from '../../../src/scheduler/gang/spread-room.ts';
import { TopologyTree } from '../../../src/scheduler/topology/topology-tree.ts';

interface SpreadNode {
  readonly rack: string | undefined;
  readonly value: string | undefined;
  readonly room: number;
}

const nodes: fc.Arbitrary<readonly SpreadNode[]> = fc.array(
  fc.record({
    rack: fc.constantFrom('a', 'b', undefined),
    value: fc.constantFrom('x', 'y', 'z', undefined),
    room: fc.integer({ min: 0, max: 3 }),
  }),
  { minLength: 1, maxLength: 5 },
);
const demands = fc.record({
  min: fc.integer({ min: 1, max: 6 }),
  more: fc.integer({ min: 0, max: 2 }),
  isNear: fc.boolean(),
});
const spreads: fc.Arbitrary<GangSpread> = fc.record({
  by: fc.constant('value'),
  maxSkew: fc.integer({ min: 1, max: 3 }),
  rule: fc.constantFrom<GangSpread['rule']>('required', 'preferred'),
});

/** Least skew of any choice of so many members within one of the places; undefined if there is none. */
function leastSkew(places: readonly (readonly SpreadNode[])[], members: number): number | undefined {
  const skews = places.flatMap((place) => {
    const values = [...new Set(place.flatMap(({ value }) => value ?? []))];
    const rooms = values.map((one) =>
      place.reduce((sum, { value, room }) => sum + (value === one ? room : 0), 0),
    );
    return choices(rooms, members).map((counts) => Math.max(...counts) - Math.min(...counts));
  });
  return skews.length === 0 ? undefined : Math.min(...skews);
}

function choices([room, ...rooms]: readonly number[], members: number): number[][] {
  if (room === undefined) return members === 0 ? [[]] : [];
  const found: number[][] = [];
  for (let count = 0; count <= Math.min(room, members); count += 1)
    for (const rest of choices(rooms, members - count)) found.push([count, ...rest]);
  return found;
}

test('exactly what brute force finds, with as many members as it can have', () => {
  fc.assert(
    fc.property(nodes, demands, spreads, (fleet, { min, more, isNear }, spread) => {
      const tree = new TopologyTree();
      for (const [node, { rack }] of fleet.entries()) tree.add(node, `n${node}`, { site: 's', rack });
      const room = Int32Array.from(fleet, (node) => node.room);
      const demand = {
        members: { min, max: min + more },
        ...(isNear ? { topology: { level: 'rack' as const, rule: 'required' as const } } : {}),
      };
      const choice = spreadRoom({ tree, room, valueOf: (node) => fleet[node]?.value }, demand, spread);
      const racks = isNear ? ['a', 'b'] : ['fleet'];
      const places = racks.map((rack) => fleet.filter((node) => !isNear || node.rack === rack));
      const sizes = Array.from({ length: more + 1 }, (_, less) => min + more - less);
      const possible = sizes.find((size) => {
        const least = leastSkew(places, size);
        return least !== undefined && (spread.rule === 'preferred' || least <= spread.maxSkew);
      });
      expect(choice?.members).toBe(possible);
      if (!choice || possible === undefined) return;
      const least = leastSkew(places, possible) ?? 0;
      expect(choice.skew).toBeLessThanOrEqual(Math.max(least, spread.maxSkew));
      const total = choice.room.reduce((sum, members) => sum + members, 0);
      expect(total).toBe(possible);
      for (const [node, members] of choice.room.entries())
        expect(members).toBeLessThanOrEqual(fleet[node]?.room ?? 0);
      const plan = planGang({ tree, room: choice.room }, { ...demand, members: { min: total, max: total } });
      expect(plan).toMatchObject({ kind: 'plan', members: total });
    }),
    { numRuns: 3000 },
  );
});
