// Not a test: small nodes whose GPUs are partly held, broken, cut into instances or joined by NVLink, and
// shapes that ask for all of that.
import fc from 'fast-check';
import type { Shape, SnapshotGpu, SnapshotNode } from '../../src/index.ts';
import type { GpuLink } from '../../src/scheduler/topology/gpu-graph.ts';
import { afterPlacement } from '../../src/scheduler/placement.ts';
import type { GpuLevel } from '../../src/scheduler/topology/gpu-level.ts';
import { NodeClasses } from '../../src/scheduler/topology/node-class.ts';

const classes = new NodeClasses();
const [H100, A100] = ['NVIDIA H100 80GB HBM3', 'NVIDIA A100-SXM4-40GB'];
export const PROFILES = ['1g.10gb', '3g.40gb'] as const;

const gpuArbitrary = fc.record({
  model: fc.constantFrom(H100, A100),
  memoryMib: fc.constantFrom(40_000, 80_000),
  freeMilli: fc.constantFrom(1000, 1000, 1000, 0, 300, 550, 700),
  usable: fc.nat(7).map((roll) => roll > 0),
  numaNode: fc.nat(1),
});

/** Pairs of GPUs that are joined: all, none, or some. */
const linksArbitrary = fc.oneof(
  fc.constant('all' as const),
  fc.constant('none' as const),
  fc.array(fc.boolean(), { minLength: 10, maxLength: 10 }),
);

interface NodeParts {
  readonly gpus: readonly Pick<SnapshotGpu, 'model' | 'memoryMib' | 'freeMilli' | 'usable' | 'numaNode'>[];
  readonly links: 'all' | 'none' | readonly boolean[];
  readonly instances: readonly (typeof PROFILES)[number][];
  readonly cores: number;
  readonly memoryGib: number;
}

export const nodeArbitrary: fc.Arbitrary<SnapshotNode> = fc
  .record({
    gpus: fc.array(gpuArbitrary, { maxLength: 5 }),
    links: linksArbitrary,
    instances: fc.array(fc.constantFrom(...PROFILES), { maxLength: 3 }),
    cores: fc.integer({ min: 1, max: 8 }),
    memoryGib: fc.integer({ min: 1, max: 8 }),
  })
  .map((parts) => gpuNode('n', parts));

export function gpuNode(id: string, { gpus, links, instances, cores, memoryGib }: NodeParts): SnapshotNode {
  const room = { cpuMilli: cores * 1000, memoryMib: memoryGib * 1024 };
  const gpuClass = classes.of({
    models: gpus.map(({ model }) => model),
    numaNodes: gpus.map(({ numaNode }) => numaNode),
    links: gpuMatrix(gpus.length, links),
  });
  return {
    ...{ id, name: id, schedulable: true, labels: { node: id }, sandboxed: false },
    capacity: room,
    free: room,
    gpus: [
      ...gpus.map((gpu, at) => ({ ...gpu, id: `${id}-gpu-${at}` })),
      ...instances.map((migProfile, at) => ({
        ...{ id: `${id}-mig-${at}`, model: H100, memoryMib: 9_984, usable: true, migProfile },
        freeMilli: at === 2 ? 0 : 1000,
      })),
    ],
    gpuClass,
    executors: new Set(['process']),
  };
}

const host = {
  gpuModels: fc.constantFrom<readonly string[]>([], [], ['h100']),
  minGpuMemoryMib: fc.constantFrom(0, 0, 9_000, 20_000, 60_000),
  cpuMilli: fc.constantFrom(100, 500, 2000),
  memoryMib: fc.constantFrom(0, 64, 1000),
  executor: fc.constant('process' as const),
  sandboxRequired: fc.constant(false),
  nodeSelector: fc.constant({}),
};

export const gpuShapeArbitrary: fc.Arbitrary<Shape> = fc.oneof(
  fc.record({ ...host, gpus: fc.constant(1), gpuMilli: fc.constantFrom(100, 250, 300, 333, 500, 700) }),
  fc.record(
    { ...host, gpus: fc.integer({ min: 0, max: 4 }), nvlink: fc.constantFrom('required', 'preferred') },
    { requiredKeys: [...(Object.keys(host) as (keyof typeof host)[]), 'gpus'] },
  ),
  fc.record({ ...host, gpus: fc.integer({ min: 1, max: 2 }), migProfile: fc.constantFrom(...PROFILES) }),
);

/** Whether the GPUs at these places of the node reach each other by links among themselves. */
export function areJoined({ gpuClass }: SnapshotNode, places: readonly number[]): boolean {
  const table = gpuClass?.masks;
  const [start, ...others] = places;
  if (start === undefined || !table) return others.length === 0;
  const reached = new Set([start]);
  for (const from of reached)
    for (const to of others) if (table.links((1 << from) | (1 << to)).bottleneck === 100) reached.add(to);
  return reached.size === places.length;
}

/** Pairs in the order 01 02 03 12 13 23 for four GPUs; those that are not told are not joined. */
export function gpuMatrix(size: number, joined: 'all' | 'none' | readonly boolean[]): readonly GpuLink[][] {
  const matrix: GpuLink[][] = Array.from({ length: size }, () =>
    Array.from({ length: size }, () => ({ link: 'SELF' })),
  );
  let pair = 0;
  for (let a = 0; a < size; a += 1)
    for (let b = a + 1; b < size; b += 1) {
      const isJoined = joined === 'all' || (joined !== 'none' && joined[pair] === true);
      pair += 1;
      matrix[a]![b] = isJoined ? { link: 'NV', width: 4 } : { link: 'SYS' };
    }
  return matrix;
}

export function subsets(places: readonly number[], size: number): readonly (readonly number[])[] {
  if (size === 0) return [[]];
  return places.flatMap((first, at) =>
    subsets(places.slice(at + 1), size - 1).map((rest) => [first, ...rest]),
  );
}

/** Sets of places of GPUs that may be given to the shape: all of them, found by trying each. */
export function choices(node: SnapshotNode, shape: Shape): readonly (readonly number[])[] {
  const { gpus, gpuMilli, gpuModels, minGpuMemoryMib, migProfile } = shape;
  const milli = gpuMilli ?? 1000;
  const able = node.gpus.flatMap((gpu, place) => {
    const isModel = gpuModels.length === 0 || gpuModels.some((one) => gpu.model.toLowerCase().includes(one));
    const isLarge = Math.floor((gpu.memoryMib * milli) / 1000) >= minGpuMemoryMib;
    return gpu.usable && gpu.freeMilli >= milli && isModel && isLarge && gpu.migProfile === migProfile
      ? [place]
      : [];
  });
  return subsets(able, gpus).filter((places) => shape.nvlink !== 'required' || areJoined(node, places));
}

/** The most of a shape that fit at the same time, by trying all ways to give GPUs. */
export function mostMembers(node: SnapshotNode, shape: Shape): number {
  if (node.free.cpuMilli < shape.cpuMilli || node.free.memoryMib < shape.memoryMib) return 0;
  let most = 0;
  for (const places of choices(node, shape)) {
    const ids = places.map((place) => node.gpus[place]!.id);
    most = Math.max(most, 1 + mostMembers(afterPlacement(node, shape, ids), shape));
    if (shape.gpus === 0) break;
  }
  return most;
}

/** Places of GPUs that are together on a level below the node, by its definition. */
export function groupsOfGpus(node: SnapshotNode, level: GpuLevel): readonly (readonly number[])[] {
  const groups: number[][] = [];
  for (const [place, { numaNode, migProfile }] of node.gpus.entries()) {
    const isNear = (other: number): boolean =>
      level === 'numa'
        ? numaNode !== undefined && node.gpus[other]!.numaNode === numaNode
        : migProfile === undefined && areJoined(node, [other, place]);
    const near = groups.filter((group) => group.some(isNear));
    const group = [...near.flat(), place];
    for (const one of near) groups.splice(groups.indexOf(one), 1);
    groups.push(group);
  }
  return groups;
}

/** The most of a shape that fit at the same time on GPUs that are together. */
export function mostTogether(node: SnapshotNode, shape: Shape, level: GpuLevel): number {
  const groups = groupsOfGpus(node, level).map((places) => ({
    ...node,
    gpus: node.gpus.map((gpu, place) => (places.includes(place) ? gpu : { ...gpu, usable: false })),
  }));
  return Math.max(0, ...groups.map((group) => mostMembers(group, shape)));
}
