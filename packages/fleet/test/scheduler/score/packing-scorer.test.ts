// Shows that a demand costs what the worth of a node falls by, from the GPU where it falls least, and the
// price of its profile; and that only GPUs that are allowed give a share.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WHOLE_GPU, type Demand } from '../../../src/scheduler/cluster/demand.ts';
import { afterDemand, hasRoom, type NodeState } from '../../../src/scheduler/cluster/node-state.ts';
import { PackingScorer, type PackedKind } from '../../../src/scheduler/score/packing-scorer.ts';

const PROFILES = [0, 1, 2];

const demands: fc.Arbitrary<Demand> = fc
  .record({ cpuMilli: fc.integer({ min: 0, max: 6 }), memoryMib: fc.integer({ min: 0, max: 6 }) })
  .chain((host) =>
    fc.oneof(
      fc.constant({ ...host, gpus: 0, gpuMilli: 0 }),
      fc.integer({ min: 1, max: 4 }).map((gpus) => ({ ...host, gpus, gpuMilli: WHOLE_GPU })),
      fc.constantFrom(110, 160, 250, 470, 500, 810).map((gpuMilli) => ({ ...host, gpus: 1, gpuMilli })),
    ),
  );

const kinds: fc.Arbitrary<PackedKind> = fc
  .record({ demand: demands, profiles: fc.subarray(PROFILES, { minLength: 1 }) })
  .map(({ demand, profiles }) => ({
    key: JSON.stringify([demand, profiles]),
    demand,
    suits: (profile) => profiles.includes(profile),
  }));

const states: fc.Arbitrary<NodeState> = fc.record({
  profile: fc.constantFrom(...PROFILES),
  cpuMilli: fc.integer({ min: 0, max: 12 }),
  memoryMib: fc.integer({ min: 0, max: 12 }),
  gpus: fc
    .array(fc.constantFrom(1000, 1000, 840, 500, 250, 0), { maxLength: 4 })
    .map((shares) => shares.toSorted((left, right) => right - left)),
});

function learnt(arrived: readonly PackedKind[], nodes: readonly NodeState[]): PackingScorer<PackedKind> {
  const scorer = new PackingScorer<PackedKind>();
  for (const kind of arrived) scorer.arrived(kind);
  scorer.refresh(nodes.map((state) => ({ state, nodes: 1 })));
  return scorer;
}

test('a demand costs the least by which worth falls, over all GPUs that could give it', () => {
  fc.assert(
    fc.property(fc.array(kinds, { maxLength: 12 }), fc.array(states, { minLength: 1 }), (arrived, nodes) => {
      const scorer = learnt(arrived, nodes);
      for (const { demand } of arrived)
        for (const state of nodes) {
          if (!hasRoom(state, demand)) continue;
          const isShare = demand.gpus === 1 && demand.gpuMilli < WHOLE_GPU;
          const shares = isShare ? state.gpus.filter((free) => free >= demand.gpuMilli) : [WHOLE_GPU];
          const losses = shares.map(
            (from) =>
              scorer.price(state.profile, demand) +
              scorer.worth(state) -
              scorer.worth(afterDemand(state, demand, from)),
          );
          const { loss, from } = scorer.cost(state, demand);
          expect(loss).toBeCloseTo(Math.min(...losses), 6);
          expect(losses[shares.indexOf(from)]).toBeCloseTo(loss, 6);
        }
    }),
  );
});

test('a share comes only from a GPU that may give it', () => {
  const share = { cpuMilli: 1, memoryMib: 1, gpus: 1, gpuMilli: 250 };
  const state = { profile: 0, cpuMilli: 8, memoryMib: 8, gpus: [1000, 750, 250] };
  const scorer = learnt([], [state]);
  for (const from of state.gpus) expect(scorer.cost(state, share, [from]).from).toBe(from);
});
