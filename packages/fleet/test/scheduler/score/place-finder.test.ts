// Shows that a place is found whenever there is one, that it costs least of all, computed anew, and that what
// arrives often is kept room for.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  hasRoom,
  PackingScorer,
  PlaceFinder,
  WHOLE_GPU,
  type Cluster,
  type PackedKind,
} from '../../../src/scheduler/index.ts';
import { afterDemand } from '../../../src/scheduler/cluster/node-state.ts';
import { clusterOf, kindArbitrary, nodesArbitrary } from '../cluster/small-cluster.ts';

/** What the best of all nodes and shares costs; undefined if it fits nowhere. */
function leastLoss(
  cluster: Cluster,
  nodes: number,
  scorer: PackingScorer<PackedKind>,
  kind: PackedKind,
): number | undefined {
  let least: number | undefined;
  for (let node = 0; node < nodes; node += 1) {
    const state = cluster.state(node);
    if (!kind.suits(state.profile) || !hasRoom(state, kind.demand)) continue;
    const isShare = kind.demand.gpus === 1 && kind.demand.gpuMilli < WHOLE_GPU;
    const shares = isShare ? state.gpus.filter((free) => free >= kind.demand.gpuMilli) : [WHOLE_GPU];
    for (const from of shares) {
      // The price is that of the profile, whichever share is taken.
      const price = scorer.price(state.profile, kind.demand);
      const loss = price + scorer.worth(state) - scorer.worth(afterDemand(state, kind.demand, from));
      least = Math.min(least ?? Infinity, loss);
    }
  }
  return least;
}

describe('the place that is found', () => {
  test('is there if and only if the demand fits somewhere, and costs least', () => {
    fc.assert(
      fc.property(
        nodesArbitrary,
        fc.array(kindArbitrary, { minLength: 1, maxLength: 6 }),
        fc.array(fc.nat(5), { maxLength: 40 }),
        (nodes, kinds, arrivals) => {
          const cluster = clusterOf(nodes);
          const scorer = new PackingScorer<PackedKind>();
          const places = new PlaceFinder(cluster, scorer);
          for (const arrival of arrivals) {
            const kind = kinds[arrival % kinds.length];
            if (!kind) continue;
            scorer.arrived(kind);
            const place = places.find(kind);
            const least = leastLoss(cluster, nodes.length, scorer, kind);
            expect(place === undefined).toBe(least === undefined);
            if (!place) continue;
            expect(place.cost.loss).toBeLessThanOrEqual((least ?? 0) + 1e-6);
            expect(kind.suits(cluster.state(place.given.node).profile)).toBe(true);
            expect(place.nodes).toBeGreaterThanOrEqual(place.states);
            cluster.give(place.given);
          }
        },
      ),
    );
  });

  const whole = (key: string, gpus: number, cpuMilli: number): PackedKind => ({
    key,
    demand: { cpuMilli, memoryMib: 0, gpus, gpuMilli: WHOLE_GPU },
    suits: () => true,
  });
  const gpus = Array.from({ length: 8 }, () => WHOLE_GPU);

  test('of a single GPU is on the node that is begun, when whole nodes are wanted', () => {
    const cluster = clusterOf([
      { profile: 0, cpuMilli: 64, memoryMib: 0, gpus },
      { profile: 0, cpuMilli: 64, memoryMib: 0, gpus },
    ]);
    const scorer = new PackingScorer<PackedKind>();
    for (let arrival = 0; arrival < 50; arrival += 1) scorer.arrived(whole('eight', 8, 64));
    const one = whole('one', 1, 8);
    scorer.arrived(one);
    const places = new PlaceFinder(cluster, scorer);
    const nodes = Array.from({ length: 4 }, () => {
      const place = places.find(one);
      if (place) cluster.give(place.given);
      return place?.given.node;
    });
    expect(new Set(nodes).size).toBe(1);
  });

  test('of what needs little CPU is on the node that has little', () => {
    const cluster = clusterOf([
      { profile: 0, cpuMilli: 96, memoryMib: 0, gpus },
      { profile: 0, cpuMilli: 16, memoryMib: 0, gpus },
    ]);
    const scorer = new PackingScorer<PackedKind>();
    const [lean, hungry] = [whole('lean', 1, 2), whole('hungry', 1, 12)];
    for (let arrival = 0; arrival < 20; arrival += 1) for (const kind of [lean, hungry]) scorer.arrived(kind);
    expect(new PlaceFinder(cluster, scorer).find(lean)?.given.node).toBe(1);
  });

  test('of a share is on the GPU whose rest it leaves useful', () => {
    const cluster = clusterOf([{ profile: 0, cpuMilli: 64, memoryMib: 0, gpus: [WHOLE_GPU, WHOLE_GPU] }]);
    const scorer = new PackingScorer<PackedKind>();
    const places = new PlaceFinder(cluster, scorer);
    const half = (key: string, gpuMilli: number): PackedKind => ({
      key,
      demand: { cpuMilli: 1, memoryMib: 0, gpus: 1, gpuMilli },
      suits: () => true,
    });
    for (let arrival = 0; arrival < 10; arrival += 1) {
      scorer.arrived(whole('whole', 1, 1));
      scorer.arrived(half('470', 470));
    }
    for (let turn = 0; turn < 2; turn += 1) {
      const place = places.find(half('470', 470));
      if (place) cluster.give(place.given);
    }
    expect(cluster.free(0).toSorted((left, right) => left - right)).toEqual([60, 1000]);
  });

  test('of what could run anywhere is not on a model that others depend on', () => {
    const cluster = clusterOf([
      { profile: 1, cpuMilli: 64, memoryMib: 0, gpus },
      { profile: 0, cpuMilli: 64, memoryMib: 0, gpus },
    ]);
    const scorer = new PackingScorer<PackedKind>();
    const bound: PackedKind = { ...whole('bound', 1, 8), suits: (profile) => profile === 1 };
    const free = whole('free', 1, 8);
    for (let arrival = 0; arrival < 10; arrival += 1) for (const kind of [bound, free]) scorer.arrived(kind);
    const places = new PlaceFinder(cluster, scorer);
    expect(places.find(free)?.given.node).toBe(1);
    expect(places.find(bound)?.given.node).toBe(0);
    expect(scorer.price(1, free.demand)).toBeGreaterThan(scorer.price(0, free.demand));
  });
});
