// Not a test: small random fleets with what runs on them, and shapes that ask for a place there.
import fc from 'fast-check';
import { DEFAULT_STOP_GRACE_MS, type Taint } from '@clawbernetes/protocol';
import { shapeKey, type PendingShape, type Shape, type SnapshotNode } from '../../../src/index.ts';
import { gpuMatrix } from '../gpu-node.ts';
import { NodeClasses } from '../../../src/scheduler/topology/node-class.ts';
import type { Holder } from '../../../src/scheduler/why/holder.ts';

export const NOW_MS = 1_000_000;
const classes = new NodeClasses();
const MODELS = ['NVIDIA H100 80GB HBM3', 'NVIDIA A100-SXM4-40GB'];
const TAINT: Taint = { key: 'team', value: 'vision', effect: 'no-schedule' };

/** The first and the second GPU are joined, and the third and the fourth. */
const BRIDGES = [true, false, false, false, false, false, false, true];

const gpuArbitrary = fc.record({
  model: fc.constantFrom(...MODELS),
  memoryMib: fc.constantFrom(40_960, 81_559),
  numaNode: fc.constantFrom(0, 1),
  outOfOrder: fc.nat(9).map((roll) => roll === 0),
});

const holderArbitrary = fc.record({
  gpus: fc.integer({ min: 0, max: 3 }),
  /** Of a single GPU; undefined = whole ones. */
  milli: fc.constantFrom(undefined, undefined, 400, 700),
  cores: fc.integer({ min: 0, max: 3 }),
  endsInMs: fc.option(fc.integer({ min: 0, max: 100_000 }), { nil: undefined }),
});

const nodeArbitrary = fc.record({
  reason: fc.constantFrom(undefined, undefined, undefined, 'cordoned', 'drained', 'suspect', 'reconnecting'),
  zone: fc.constantFrom(undefined, 'eu', 'us'),
  isTainted: fc.nat(4).map((roll) => roll === 0),
  cores: fc.integer({ min: 1, max: 8 }),
  gpus: fc.array(gpuArbitrary, { maxLength: 5 }),
  instances: fc.array(fc.constantFrom('1g.10gb', '3g.40gb'), { maxLength: 2 }),
  links: fc.constantFrom('all' as const, 'none' as const, BRIDGES),
  container: fc.boolean(),
  sandboxed: fc.boolean(),
  holders: fc.array(holderArbitrary, { maxLength: 4 }),
});
type NodeFacts = typeof nodeArbitrary extends fc.Arbitrary<infer One> ? One : never;

export interface RandomFleet {
  readonly nodes: readonly SnapshotNode[];
  readonly holders: readonly Holder[];
}

export const fleetArbitrary: fc.Arbitrary<RandomFleet> = fc
  .array(nodeArbitrary, { minLength: 1, maxLength: 6 })
  .map((facts) => {
    const made = facts.map(makeNode);
    return { nodes: made.map(({ node }) => node), holders: made.flatMap(({ holders }) => holders) };
  });

function makeNode(
  { reason, zone, isTainted, cores, gpus, instances, links, container, sandboxed, holders }: NodeFacts,
  index: number,
): { readonly node: SnapshotNode; readonly holders: readonly Holder[] } {
  const id = `node-${index}`;
  const capacity = { cpuMilli: cores * 1000, memoryMib: cores * 1024 };
  let coresLeft = cores;
  const devices = gpus.map((_, at) => `gpu-${index}-${at}`);
  const left = new Map<string, number>();
  const given = holders.map((holder, at): Holder => {
    const taken = Math.min(coresLeft, holder.cores);
    coresLeft -= taken;
    const held = devices.splice(0, holder.milli === undefined ? holder.gpus : 1);
    for (const device of held) left.set(device, 1000 - (holder.milli ?? 1000));
    return {
      workloadId: `wl-${index}-${at}`,
      name: `job-${index}-${at}`,
      nodeId: id,
      devices: held,
      ...(holder.milli === undefined ? {} : { gpuMilli: holder.milli }),
      cpuMilli: taken * 1000,
      memoryMib: taken * 1024,
      ...(holder.endsInMs === undefined ? {} : { endsAtMs: NOW_MS + holder.endsInMs }),
      graceMs: DEFAULT_STOP_GRACE_MS,
    };
  });
  const node: SnapshotNode = {
    id,
    name: `n${index}`,
    schedulable: reason === undefined,
    ...(reason === undefined ? {} : { unschedulableReason: reason }),
    labels: { node: `n${index}`, ...(zone === undefined ? {} : { zone }) },
    ...(isTainted ? { taints: [TAINT] } : {}),
    capacity,
    free: { cpuMilli: coresLeft * 1000, memoryMib: coresLeft * 1024 },
    gpus: [
      ...gpus.map(({ outOfOrder, ...gpu }, at) => ({
        ...gpu,
        id: `gpu-${index}-${at}`,
        freeMilli: left.get(`gpu-${index}-${at}`) ?? 1000,
        usable: !outOfOrder,
        ...(outOfOrder ? { outOfUse: 'quarantined' } : {}),
      })),
      ...instances.map((migProfile, at) => ({
        ...{ id: `mig-${index}-${at}`, model: 'NVIDIA H100 80GB HBM3', memoryMib: 9_984 },
        ...{ migProfile, freeMilli: 1000, usable: true },
      })),
    ],
    gpuClass: classes.of({
      models: gpus.map(({ model }) => model),
      numaNodes: gpus.map(({ numaNode }) => numaNode),
      links: gpuMatrix(gpus.length, links),
    }),
    executors: new Set(container ? ['process', 'container'] : ['process']),
    sandboxed,
  };
  return { node, holders: given };
}

const plainArbitrary: fc.Arbitrary<Shape> = fc.record(
  {
    gpus: fc.integer({ min: 0, max: 5 }),
    gpuModels: fc.constantFrom<readonly string[]>([], ['h100'], ['a100']),
    minGpuMemoryMib: fc.constantFrom(0, 0, 80_000),
    cpuMilli: fc.integer({ min: 100, max: 9000 }),
    memoryMib: fc.integer({ min: 64, max: 9000 }),
    executor: fc.constantFrom('process', 'process', 'container'),
    sandboxRequired: fc.nat(3).map((roll) => roll === 0),
    nodeSelector: fc.constantFrom<Record<string, string>>({}, {}, { zone: 'eu' }, { node: 'n1' }),
    affinity: fc.constantFrom({
      required: [{ label: 'zone', operator: 'not-in' as const, values: ['us'] }],
      preferred: [],
    }),
    tolerations: fc.constantFrom([{ key: 'team' }]),
    nodeId: fc.constantFrom('node-1'),
  },
  {
    requiredKeys: [
      'gpus',
      'gpuModels',
      'minGpuMemoryMib',
      'cpuMilli',
      'memoryMib',
      'executor',
      'sandboxRequired',
      'nodeSelector',
    ],
  },
);

const PARTS: readonly Partial<Shape>[] = [
  ...[{}, {}, {}],
  ...[250, 500, 800].map((gpuMilli) => ({ gpus: 1, gpuMilli })),
  { gpus: 1, migProfile: '1g.10gb' },
  { gpus: 2, migProfile: '3g.40gb' },
  ...[2, 3].map((gpus) => ({ gpus, nvlink: 'required' as const })),
  ...[{ nvlink: 'required' as const }, { nvlink: 'preferred' as const }],
];

export const shapeArbitrary: fc.Arbitrary<Shape> = fc
  .tuple(plainArbitrary, fc.constantFrom(...PARTS))
  .map(([shape, part]) => ({ ...shape, ...part }));

/** Asks for so little that there often is room. */
export const easyShapeArbitrary: fc.Arbitrary<Shape> = fc.record({
  gpus: fc.integer({ min: 0, max: 2 }),
  gpuModels: fc.constant([]),
  minGpuMemoryMib: fc.constant(0),
  cpuMilli: fc.integer({ min: 100, max: 1500 }),
  memoryMib: fc.integer({ min: 64, max: 1500 }),
  executor: fc.constant('process'),
  sandboxRequired: fc.constant(false),
  nodeSelector: fc.constant({}),
});

/** What has waited longer. */
export const aheadArbitrary: fc.Arbitrary<readonly PendingShape[]> = fc
  .array(fc.tuple(fc.oneof(shapeArbitrary, easyShapeArbitrary), fc.integer({ min: 1, max: 3 })), {
    maxLength: 3,
  })
  .map((shapes) =>
    shapes.map(([shape, count], at) => ({
      key: `${at} ${shapeKey(shape)}`,
      shape,
      workloadIds: Array.from({ length: count }, (_, index) => `ahead-${at}-${index}`),
    })),
  );

export function holdersIn(holders: readonly Holder[]): (nodeId: string) => readonly Holder[] {
  return (nodeId) => holders.filter((holder) => holder.nodeId === nodeId);
}
