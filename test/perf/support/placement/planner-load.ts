// A fleet in memory for the planner alone: nodes of four kinds with labels and taints, workloads of twenty
// shapes that come and go.
import { planPlacements, shapeKey, type Placement, type Shape, type SnapshotNode } from '@clawbernetes/fleet';
import { FleetPacking, NodeGroups } from '@clawbernetes/fleet/scheduler';
import { present, type Random } from '@clawbernetes/kernel';

const ZONES = 8;
const KINDS = [
  { model: 'NVIDIA H100 80GB HBM3', gpus: 8, cores: 192 },
  { model: 'NVIDIA A100-SXM4-40GB', gpus: 8, cores: 96 },
  { model: 'NVIDIA L4', gpus: 4, cores: 64 },
  { model: '', gpus: 0, cores: 64 },
] as const;

const ANYWHERE = {
  gpuModels: [],
  minGpuMemoryMib: 0,
  executor: 'process',
  sandboxRequired: false,
  nodeSelector: {},
} as const satisfies Partial<Shape>;

const AMOUNTS: readonly (readonly [gpus: number, cpus: number, memoryMib: number])[] = [
  [1, 8, 32_768],
  [1, 12, 65_536],
  [2, 16, 65_536],
  [4, 32, 131_072],
  [0, 4, 8192],
];

/** Each amount anywhere, on a model, in a zone, and on tainted nodes too but rather on fast disks. */
export const SHAPES: readonly Shape[] = AMOUNTS.flatMap(([gpus, cpus, memoryMib], index) => {
  const amount = { ...ANYWHERE, gpus, cpuMilli: cpus * 1000, memoryMib };
  const fast = { label: 'disk', operator: 'in' as const, values: ['fast'], weight: 1 };
  return [
    amount,
    { ...amount, gpuModels: gpus > 0 ? ['h100', 'a100'] : [] },
    { ...amount, nodeSelector: { zone: `z${index}` } },
    { ...amount, tolerations: [{ key: 'spot' }], affinity: { required: [], preferred: [fast] } },
  ];
});

function nodeOf(index: number): SnapshotNode {
  const { model, gpus, cores } = present(KINDS[index % KINDS.length], 'a kind of node');
  const capacity = { cpuMilli: cores * 1000, memoryMib: cores * 8192 };
  const zone = `z${Math.floor(index / KINDS.length) % ZONES}`;
  return {
    id: `node-${index}`,
    name: `n${index}`,
    schedulable: true,
    labels: { node: `n${index}`, zone, disk: index % 3 === 0 ? 'fast' : 'slow' },
    ...(index % 10 === 0 ? { taints: [{ key: 'spot', value: '', effect: 'no-schedule' as const }] } : {}),
    capacity,
    free: capacity,
    gpus: Array.from({ length: gpus }, (_, place) => {
      const id = `gpu-${index}-${place}`;
      return { id, model, memoryMib: 81_559, numaNode: place % 2, freeMilli: 1000, usable: true };
    }),
    executors: new Set(['process']),
    sandboxed: false,
  };
}

/** What a fleet does all day: work arrives, is placed, and ends. */
export class PlannerLoad {
  readonly #random: Random;
  readonly #packing = new FleetPacking();
  readonly #groups: NodeGroups;
  readonly #running: Pick<Placement, 'nodeId' | 'devices' | 'shape'>[] = [];
  readonly #empty = new Map<string, SnapshotNode>();
  #arrived = 0;

  constructor(nodes: number, random: Random) {
    this.#random = random;
    this.#groups = new NodeGroups(this.#packing.groupKey);
    for (let index = 0; index < nodes; index += 1) {
      const empty = nodeOf(index);
      this.#empty.set(empty.id, empty);
      this.#groups.put({ ...empty, empty });
    }
  }

  get running(): number {
    return this.#running.length;
  }

  /** States that nodes are in. */
  get groups(): number {
    return this.#groups.groups.length;
  }

  /** So many arrive at once; answers how many found a place. */
  arrive(count: number): number {
    const arrivals = new Map<Shape, string[]>();
    for (let index = 0; index < count; index += 1) {
      const shape = present(SHAPES[Math.floor(this.#random.fraction() * SHAPES.length)], 'a shape');
      const ids = arrivals.get(shape) ?? [];
      ids.push(`wl-${this.#arrived}`);
      this.#arrived += 1;
      arrivals.set(shape, ids);
      this.#packing.arrived(shape);
    }
    this.#packing.refresh(this.#groups);
    const pending = Array.from(arrivals, ([shape, workloadIds]) => {
      return { key: shapeKey(shape), shape, workloadIds };
    });
    const { placements } = planPlacements(this.#groups, pending, count, this.#packing);
    for (const { nodeId, devices, shape, after } of placements) {
      this.#groups.put(after);
      this.#running.push({ nodeId, devices, shape });
    }
    return placements.length;
  }

  /** So many of those that run end, whichever. */
  end(count: number): void {
    for (let index = 0; index < count && this.#running.length > 0; index += 1) {
      const at = Math.floor(this.#random.fraction() * this.#running.length);
      const ended = present(this.#running[at], 'what runs');
      const last = this.#running.pop();
      if (last && last !== ended) this.#running[at] = last;
      this.#free(ended);
    }
  }

  #free({ nodeId, devices, shape }: Pick<Placement, 'nodeId' | 'devices' | 'shape'>): void {
    const node = present(this.#groups.node(nodeId), 'the node of what runs');
    const empty = present(this.#empty.get(nodeId), 'the node of what runs');
    this.#groups.put({
      ...node,
      empty,
      free: {
        cpuMilli: node.free.cpuMilli + shape.cpuMilli,
        memoryMib: node.free.memoryMib + shape.memoryMib,
      },
      gpus: node.gpus.map((gpu) => (devices.includes(gpu.id) ? { ...gpu, freeMilli: 1000 } : gpu)),
    });
  }
}
