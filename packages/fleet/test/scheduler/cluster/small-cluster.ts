import fc from 'fast-check';
import {
  Cluster,
  WHOLE_GPU,
  type ClusterNode,
  type Demand,
  type PackedKind,
} from '../../../src/scheduler/index.ts';

export const demandArbitrary: fc.Arbitrary<Demand> = fc
  .record({ cpuMilli: fc.integer({ min: 0, max: 6 }), memoryMib: fc.integer({ min: 0, max: 6 }) })
  .chain((host) =>
    fc.oneof(
      fc.constant({ ...host, gpus: 0, gpuMilli: 0 }),
      fc.integer({ min: 1, max: 4 }).map((gpus) => ({ ...host, gpus, gpuMilli: WHOLE_GPU })),
      fc.constantFrom(110, 160, 250, 470, 500, 810).map((gpuMilli) => ({ ...host, gpus: 1, gpuMilli })),
    ),
  );

const PROFILES = [0, 1, 2];

const nodeArbitrary: fc.Arbitrary<ClusterNode> = fc.record({
  profile: fc.constantFrom(...PROFILES),
  cpuMilli: fc.integer({ min: 0, max: 12 }),
  memoryMib: fc.integer({ min: 0, max: 12 }),
  gpus: fc.array(fc.constantFrom(WHOLE_GPU, WHOLE_GPU, WHOLE_GPU, 0), { maxLength: 4 }),
});

export const nodesArbitrary = fc.array(nodeArbitrary, { minLength: 1, maxLength: 5 });

export const kindArbitrary: fc.Arbitrary<PackedKind> = fc
  .record({ demand: demandArbitrary, profiles: fc.subarray(PROFILES, { minLength: 1 }) })
  .map(({ demand, profiles }) => ({
    key: JSON.stringify([demand, profiles]),
    demand,
    suits: (profile) => profiles.includes(profile),
  }));

export function clusterOf(nodes: readonly ClusterNode[]): Cluster {
  const cluster = new Cluster();
  for (const node of nodes) cluster.add(node);
  return cluster;
}
