// Shows that the tree, and the members counted in its domains, are those of its nodes after any changes.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DomainCapacity, MAX_ROOM } from '../../../src/scheduler/topology/domain-capacity.ts';
import {
  ROOT,
  topologyPlace,
  TopologyTree,
  type TopologyPlace,
} from '../../../src/scheduler/topology/topology-tree.ts';

/** Few enough that domains hold several nodes, and nodes leave from the middle of them. */
const place: fc.Arbitrary<TopologyPlace> = fc.oneof(
  fc.constant({ site: 'a', rack: 'a', nvlinkDomain: 'a' }),
  fc.record({
    site: fc.constantFrom('a', undefined),
    rack: fc.constantFrom('a', 'b', '?', undefined),
    nvlinkDomain: fc.constantFrom('a', undefined),
  }),
);
const change = fc.oneof(
  fc.record({ kind: fc.constant('add' as const), node: fc.nat({ max: 5 }), place, room: fc.nat({ max: 8 }) }),
  fc.record({ kind: fc.constant('remove' as const), node: fc.nat({ max: 5 }) }),
  fc.record({ kind: fc.constant('room' as const), node: fc.nat({ max: 5 }), room: fc.nat({ max: 8 }) }),
);

interface Fleet {
  readonly tree: TopologyTree;
  readonly capacity: DomainCapacity;
  readonly model: Map<number, { readonly place: TopologyPlace; readonly room: number }>;
}

const SHAPE = 'whole nodes';

function emptyFleet(): Fleet {
  const tree = new TopologyTree();
  const capacity = new DomainCapacity(tree);
  capacity.register(SHAPE, () => 0);
  return { tree, capacity, model: new Map() };
}

function apply(
  { tree, capacity, model }: Fleet,
  step: typeof change extends fc.Arbitrary<infer T> ? T : never,
): void {
  const { node } = step;
  const known = model.get(node);
  if (step.kind === 'add') {
    capacity.forget(node);
    tree.remove(node);
    tree.add(node, `n${node}`, step.place);
    capacity.update(node, () => step.room);
    model.set(node, step);
  } else if (step.kind === 'remove') {
    capacity.forget(node);
    tree.remove(node);
    model.delete(node);
  } else if (known) {
    capacity.set(SHAPE, node, step.room);
    model.set(node, { ...known, room: step.room });
  }
}

function groupKey({ site, rack, nvlinkDomain }: TopologyPlace, level: number): string {
  return JSON.stringify([site ?? null, rack ?? null, nvlinkDomain ?? null].slice(0, level));
}

/** Nodes by level and place, from the definitions. */
function expectModel({ tree, capacity, model }: Fleet): void {
  const { members } = capacity.of(SHAPE)!;
  for (const level of [0, 1, 2, 3]) {
    const groups = Map.groupBy(model, ([, facts]) => groupKey(facts.place, level));
    const domains = new Set([...model.keys()].map((node) => tree.path(node)[level]!));
    expect(domains.size).toBe(groups.size);
    if (level > 0) expect(new Set(tree.domainsAt(level))).toEqual(domains);
    for (const nodes of groups.values()) {
      const [first] = nodes;
      const domain = tree.path(first![0])[level]!;
      expect(nodes.map(([node]) => tree.path(node)[level])).toEqual(nodes.map(() => domain));
      expect(members[domain]).toBe(nodes.reduce((sum, [, { room }]) => sum + room, 0));
      expect(tree.level(domain)).toBe(level);
      if (level > 0) expect(tree.children(tree.parent(domain))).toContain(domain);
      if (level === 3) expect(new Set(tree.children(domain))).toEqual(new Set(nodes.map(([node]) => node)));
    }
  }
  expect(tree.domainsAt(0)).toEqual([ROOT]);
  if (model.size === 0) expect(members.every((count) => count === 0)).toBe(true);
}

test('nodes come, move, change and go in any order', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 40, size: 'max' }), (steps) => {
      const fleet = emptyFleet();
      let largest = 0;
      for (const step of steps) {
        apply(fleet, step);
        expectModel(fleet);
        largest = Math.max(largest, fleet.model.size);
      }
      // Numbers are reused, so they stay as small as the fleet was at its largest.
      expect(fleet.tree.domainSlots).toBeLessThanOrEqual(1 + 3 * largest);
    }),
    { numRuns: 200 },
  );
});

describe('places', () => {
  test('come from labels; an empty label says nothing', () => {
    expect(topologyPlace({ site: 'eu', rack: '', 'nvlink-domain': 'n1', other: 'x' })).toEqual({
      site: 'eu',
      rack: undefined,
      nvlinkDomain: 'n1',
    });
  });

  test('have names, and racks of one name in two sites are two', () => {
    const tree = new TopologyTree();
    tree.add(0, 'n0', { site: 'eu', rack: '1' });
    tree.add(1, 'n1', { site: 'us', rack: '1' });
    tree.add(2, 'n2', { rack: '1', nvlinkDomain: 'x' });
    const names = [0, 1, 2].map((node) => tree.path(node).map((domain) => tree.domainName(domain)));
    expect(names).toEqual([
      ['fleet', 'eu', 'eu/1', 'eu/1/?'],
      ['fleet', 'us', 'us/1', 'us/1/?'],
      ['fleet', '?', '?/1', '?/1/x'],
    ]);
    expect(tree.path(2).map((domain) => tree.isKnown(domain))).toEqual([true, false, true, true]);
    expect(tree.nodeName(2)).toBe('n2');
  });

  test('a node stands in one place', () => {
    const tree = new TopologyTree();
    tree.add(0, 'n0', {});
    expect(() => tree.add(0, 'n0', { site: 'eu' })).toThrow('not in the tree yet');
    expect(() => tree.path(1)).toThrow('in the tree');
    tree.remove(1);
    expect(tree.has(0)).toBe(true);
  });
});

describe('counted shapes', () => {
  test('are so many at most, and can be given up', () => {
    const capacity = new DomainCapacity(new TopologyTree(), { maxShapes: 2 });
    expect(['a', 'b', 'c', 'a'].map((shape) => capacity.register(shape, () => 1))).toEqual([
      true,
      true,
      false,
      true,
    ]);
    capacity.unregister('a');
    expect(capacity.register('c', () => 1)).toBe(true);
    expect([...capacity.shapes()]).toEqual(['b', 'c']);
    expect(capacity.of('a')).toBeUndefined();
  });

  test('count what is there when they are registered, and no node beyond its bound', () => {
    const tree = new TopologyTree();
    tree.add(3, 'n3', { site: 'eu' });
    tree.add(4, 'n4', { site: 'eu' });
    const capacity = new DomainCapacity(tree);
    capacity.register('small', (node) => (node === 3 ? 1e9 : -1));
    expect([...capacity.of('small')!.room]).toEqual([0, 0, 0, MAX_ROOM, 0]);
    expect(capacity.of('small')!.members[ROOT]).toBe(MAX_ROOM);
  });
});
