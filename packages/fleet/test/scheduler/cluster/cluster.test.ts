// Shows that a cluster counts what is free as a plain model does, gives nothing twice, takes back what it
// gave, and that its groups are all its nodes by what is free on them.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkDemand, type Cluster, hasRoom, WHOLE_GPU, type Given } from '../../../src/scheduler/index.ts';
import { clusterOf, demandArbitrary, nodesArbitrary } from './small-cluster.ts';

const stepArbitrary = fc.oneof(
  { weight: 3, arbitrary: fc.record({ node: fc.nat(4), demand: demandArbitrary, choice: fc.nat(3) }) },
  fc.record({ takeBack: fc.nat(20) }),
);

/** What each node has free, by its groups; each node is in one group. */
function seen(cluster: Cluster): ReadonlyMap<number, unknown> {
  const nodes = cluster.groups.flatMap(({ state, nodes: numbers }) =>
    numbers.map((node) => [node, state] as const),
  );
  expect(new Set(nodes.map(([node]) => node)).size).toBe(nodes.length);
  const keys = cluster.groups.map(({ state }) => JSON.stringify(state));
  expect(new Set(keys).size, 'no two groups are alike').toBe(keys.length);
  return new Map(nodes);
}

describe('a cluster', () => {
  test('is as a plain model after any giving and taking back', () => {
    fc.assert(
      fc.property(nodesArbitrary, fc.array(stepArbitrary, { maxLength: 40 }), (nodes, steps) => {
        const cluster = clusterOf(nodes);
        const model = nodes.map(({ gpus, ...node }) => ({ ...node, gpus: [...gpus] }));
        const given: Given[] = [];
        const change = ({ node, demand, gpus }: Given, sign: 1 | -1): void => {
          const has = model[node];
          if (!has) throw new Error('the model has the node');
          has.cpuMilli += sign * demand.cpuMilli;
          has.memoryMib += sign * demand.memoryMib;
          for (const place of gpus) has.gpus[place] = (has.gpus[place] ?? 0) + sign * demand.gpuMilli;
        };
        for (const step of steps) {
          if ('takeBack' in step) {
            const [back] = given.splice(step.takeBack % Math.max(1, given.length), 1);
            if (!back) continue;
            cluster.takeBack(back);
            change(back, 1);
            continue;
          }
          const node = step.node % nodes.length;
          if (!hasRoom(cluster.state(node), step.demand)) continue;
          const shares = cluster.free(node).filter((free) => free >= step.demand.gpuMilli);
          const gpus = cluster.pick(node, step.demand, shares[step.choice % Math.max(1, shares.length)] ?? 0);
          const what = { node, demand: step.demand, gpus };
          cluster.give(what);
          change(what, -1);
          given.push(what);
        }
        const expected = model.map(
          ({ gpus, ...node }, number) => [number, { ...node, gpus: gpus.toSorted((a, b) => b - a) }] as const,
        );
        expect(seen(cluster)).toEqual(new Map(expected));
        for (const [number, { gpus }] of model.entries()) expect(cluster.free(number)).toEqual(gpus);
        for (const back of given) cluster.takeBack(back);
        expect(seen(cluster)).toEqual(seen(clusterOf(nodes)));
      }),
    );
  });

  const node = { profile: 0, cpuMilli: 4, memoryMib: 4, gpus: [WHOLE_GPU, WHOLE_GPU] };
  const share = { cpuMilli: 1, memoryMib: 1, gpus: 1, gpuMilli: 600 };

  test('gives no GPU twice, and no more CPU than there is', () => {
    const cluster = clusterOf([node]);
    cluster.give({ node: 0, demand: share, gpus: [0] });
    expect(() => cluster.give({ node: 0, demand: share, gpus: [0] })).toThrow('a GPU is given once');
    expect(() => cluster.give({ node: 0, demand: { ...share, cpuMilli: 9 }, gpus: [1] })).toThrow(
      'gives what it has',
    );
    expect(() => cluster.give({ node: 0, demand: share, gpus: [] })).toThrow('as many GPUs');
  });

  test('takes nothing back that it did not give', () => {
    expect(() => clusterOf([node]).takeBack({ node: 0, demand: share, gpus: [0] })).toThrow(
      'taken back once',
    );
  });

  test('forgets a node that is removed', () => {
    const cluster = clusterOf([node, node]);
    cluster.remove(0);
    expect([...seen(cluster).keys()]).toEqual([1]);
    expect(() => cluster.state(0)).toThrow('a node of the cluster');
    expect(cluster.add(node)).toBe(2);
  });
});

describe('a demand', () => {
  test.each([
    [{ gpus: 2, gpuMilli: 500 }],
    [{ gpus: 1, gpuMilli: 0 }],
    [{ gpus: 0, gpuMilli: 100 }],
    [{ gpus: 1, gpuMilli: 1001 }],
    [{ gpus: -1, gpuMilli: 1000 }],
    [{ gpus: 1, gpuMilli: 0.5 }],
  ])('of %o is none', (gpus) => {
    expect(() => checkDemand({ cpuMilli: 1, memoryMib: 1, ...gpus })).toThrow(RangeError);
  });

  test.each([[{ gpus: 0, gpuMilli: 0 }], [{ gpus: 1, gpuMilli: 1 }], [{ gpus: 8, gpuMilli: 1000 }]])(
    'of %o is one',
    (gpus) => {
      expect(checkDemand({ cpuMilli: 0, memoryMib: 0, ...gpus })).toMatchObject(gpus);
    },
  );
});
