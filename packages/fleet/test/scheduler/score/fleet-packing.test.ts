// Shows that plans of the fleet use the scorer that the openb benchmark measures: what arrives often is kept
// room for, nodes that are not wanted come last, and without GPUs in play work is packed tightly.
import { describe, expect, test } from 'vitest';
import { planPlacements, shapeKey, type Shape, type SnapshotNode } from '../../../src/index.ts';
import { FleetPacking } from '../../../src/scheduler/score/fleet-packing.ts';

function node(id: string, gpus: number, cores: number, change: Partial<SnapshotNode> = {}): SnapshotNode {
  const room = { cpuMilli: cores * 1000, memoryMib: 1024 };
  return {
    id,
    name: id,
    schedulable: true,
    labels: { node: id },
    capacity: room,
    free: room,
    gpus: Array.from({ length: gpus }, (_, place) => {
      return { id: `${id}-${place}`, model: 'NVIDIA H100', memoryMib: 81_559, freeMilli: 1000, usable: true };
    }),
    executors: new Set(['process']),
    sandboxed: false,
    ...change,
  };
}

const shape = (gpus: number, cores: number, change: Partial<Shape> = {}): Shape => ({
  gpus,
  gpuModels: [],
  minGpuMemoryMib: 0,
  cpuMilli: cores * 1000,
  memoryMib: 0,
  executor: 'process',
  sandboxRequired: false,
  nodeSelector: {},
  ...change,
});

/** Where so many of a shape go, after others have arrived before. */
function places(
  nodes: readonly SnapshotNode[],
  before: readonly Shape[],
  wanted: Shape,
  count: number,
): readonly string[] {
  const packing = new FleetPacking();
  for (const arrival of [...before, wanted]) packing.arrived(arrival);
  packing.refresh(nodes);
  const workloadIds = Array.from({ length: count }, (_, index) => `w${index}`);
  const pending = [{ key: shapeKey(wanted), shape: wanted, workloadIds }];
  return planPlacements({ nodes }, pending, count, packing).placements.map(({ nodeId }) => nodeId);
}

describe('a place in the fleet', () => {
  test('leaves whole nodes whole where they are wanted', () => {
    const nodes = [node('a', 8, 64), node('b', 8, 64), node('c', 8, 64)];
    const many = Array.from({ length: 20 }, () => shape(8, 64));
    expect(new Set(places(nodes, many, shape(1, 8), 8)).size).toBe(1);
  });

  test('leaves CPU where GPUs need it', () => {
    const nodes = [node('rich', 8, 96), node('poor', 8, 16)];
    const hungry = Array.from({ length: 20 }, () => shape(1, 12));
    expect(places(nodes, hungry, shape(1, 2), 4)).toEqual(['poor', 'poor', 'poor', 'poor']);
    expect(places(nodes, hungry, shape(0, 8), 1)).toEqual(['poor']);
  });

  test('of work without GPUs is on the tightest node, and on one with GPUs last', () => {
    const nodes = [node('gpus', 4, 4), node('large', 0, 32), node('small', 0, 4)];
    expect(places(nodes, [], shape(0, 4), 10).slice(0, 10)).toEqual([
      'small',
      ...Array.from({ length: 8 }, () => 'large'),
      'gpus',
    ]);
  });

  test('is on a discouraged node only when no other has room', () => {
    const taints = [{ key: 'old', value: '', effect: 'prefer-no-schedule' as const }];
    const nodes = [node('old', 1, 8, { taints }), node('new', 8, 64)];
    const many = Array.from({ length: 20 }, () => shape(8, 64));
    expect(places(nodes, many, shape(1, 8), 9)).toEqual([...Array.from({ length: 8 }, () => 'new'), 'old']);
  });

  test('of a share is on the GPU whose rest it leaves useful', () => {
    const nodes = [node('a', 2, 64)];
    const packing = new FleetPacking();
    const share = shape(1, 1, { gpuMilli: 470 });
    for (let arrival = 0; arrival < 10; arrival += 1)
      for (const arrived of [shape(1, 1), share]) packing.arrived(arrived);
    packing.refresh(nodes);
    const pending = [{ key: 'share', shape: share, workloadIds: ['w0', 'w1'] }];
    const last = planPlacements({ nodes }, pending, 2, packing).placements.at(-1);
    expect(last?.after.gpus.map(({ freeMilli }) => freeMilli)).toEqual([60, 1000]);
  });

  test('of what could run anywhere is not on a model that others depend on', () => {
    const plain = node('plain', 8, 64);
    const rare = node('rare', 8, 64);
    const nodes = [{ ...rare, gpus: rare.gpus.map((gpu) => ({ ...gpu, model: 'NVIDIA A100' })) }, plain];
    const bound = Array.from({ length: 10 }, () => shape(1, 8, { gpuModels: ['a100'] }));
    const free = Array.from({ length: 10 }, () => shape(1, 8));
    expect(places(nodes, [...bound, ...free], shape(1, 8), 1)).toEqual(['plain']);
  });
});
