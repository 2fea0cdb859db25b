// Shows that nodes with the same GPUs joined alike are of one class, whatever their ids, and others are not.
import { describe, expect, test } from 'vitest';
import type { NodeInventory } from '@clawbernetes/protocol';
import { linkBandwidth } from '../../../src/scheduler/topology/gpu-graph.ts';
import { maskGpus, NodeClasses, nodeClassFacts } from '../../../src/scheduler/topology/node-class.ts';

type Gpus = Pick<NodeInventory, 'gpus' | 'gpuLinks'>;

function gpu(id: string, index: number, numaNode?: number): NodeInventory['gpus'][number] {
  return {
    id,
    index,
    vendor: 'nvidia',
    model: 'NVIDIA H100',
    memoryMib: 81_559,
    health: { state: 'healthy' },
    simulated: false,
    ...(numaNode === undefined ? {} : { numaNode }),
  };
}

function pair(prefix: string, numaNodes: readonly [number, number], width: number): Gpus {
  const [a, b] = [`${prefix}-a`, `${prefix}-b`];
  return {
    gpus: [gpu(a, 0, numaNodes[0]), gpu(b, 1, numaNodes[1])],
    gpuLinks: [
      { from: a, to: b, link: 'NV', width },
      { from: b, to: a, link: 'NV', width },
    ],
  };
}

describe('one class', () => {
  const classes = new NodeClasses();
  const first = classes.of(nodeClassFacts(pair('one', [0, 1], 4)));

  test('for equal links and NUMA maps, whatever GPUs and NUMA nodes are called', () => {
    expect(classes.of(nodeClassFacts(pair('two', [1, 0], 4)))).toBe(first);
    expect(first.hash).toMatch(/^[0-9a-f]{16}$/);
    expect(first.gpuCount).toBe(2);
    expect(first.masks?.best(0b11, 2, 'require')).toBe(0b11);
  });

  test('not for another model, link, NUMA map or count', () => {
    const facts = nodeClassFacts(pair('x', [0, 1], 4));
    const others = [
      { ...facts, models: ['NVIDIA H100', 'NVIDIA H200'] },
      nodeClassFacts(pair('x', [0, 1], 12)),
      nodeClassFacts(pair('x', [0, 0], 4)),
      nodeClassFacts({ gpus: [gpu('only', 0, 0)], gpuLinks: [] }),
    ].map((other) => classes.of(other));
    expect(new Set([first, ...others]).size).toBe(5);
    expect(new Set([first, ...others].map(({ hash }) => hash)).size).toBe(5);
  });

  test('and one hash on every gateway', () => {
    expect(new NodeClasses().of(nodeClassFacts(pair('three', [0, 1], 4))).hash).toBe(first.hash);
  });
});

test('bits follow the index of GPUs; slices of a GPU have none', () => {
  const slice = { ...gpu('mig', 0), parentId: 'b', migProfile: '1g.10gb' };
  const inventory = { gpus: [gpu('b', 1), slice, gpu('a', 0)], gpuLinks: [] };
  expect(maskGpus(inventory).map(({ id }) => id)).toEqual(['a', 'b']);
  expect(nodeClassFacts(inventory).links[0]?.[1]).toEqual({ link: 'UNKNOWN' });
});

test('of two directions that differ the worse counts', () => {
  const { gpus } = pair('x', [0, 1], 4);
  const facts = nodeClassFacts({
    gpus,
    gpuLinks: [
      { from: 'x-a', to: 'x-b', link: 'NV', width: 4 },
      { from: 'x-b', to: 'x-a', link: 'PHB' },
    ],
  });
  expect(facts.links[0]?.[1]?.link).toBe('PHB');
  expect(facts.links[1]?.[0]?.link).toBe('PHB');
});

test('links rank as nvidia-smi lists them', () => {
  const worstFirst = ['UNKNOWN', 'SYS', 'NODE', 'PHB', 'PXB', 'PIX', 'NV'] as const;
  const ranked = worstFirst.map((link) => linkBandwidth({ link }));
  expect(ranked).toEqual(ranked.toSorted((one, other) => one - other));
  expect(new Set(ranked).size).toBe(worstFirst.length);
  expect(linkBandwidth({ link: 'NV', width: 18 })).toBeGreaterThan(linkBandwidth({ link: 'NV', width: 12 }));
});

test('more GPUs than a mask holds have a class, and no table', () => {
  const gpus = Array.from({ length: 33 }, (_, index) => gpu(`g${index}`, index));
  const wide = new NodeClasses().of(nodeClassFacts({ gpus, gpuLinks: [] }));
  expect(wide.gpuCount).toBe(33);
  expect(wide.masks).toBeUndefined();
});

test('classes that nobody holds do not pile up in the way of new ones', () => {
  const classes = new NodeClasses();
  const facts = (count: number): ReturnType<typeof nodeClassFacts> =>
    nodeClassFacts({ gpus: [{ ...gpu('a', 0), model: `model ${count}` }], gpuLinks: [] });
  const held = Array.from({ length: 300 }, (_, count) => classes.of(facts(count)));
  expect(held.every((one, count) => classes.of(facts(count)) === one)).toBe(true);
});
