// The fleet of the gang bar: 5,000 nodes of 8 GPUs in racks, of which four in five have work on a GPU or
// more.
import {
  NodeClasses,
  planPlacements,
  shapeKey,
  type GangDemand,
  type Placement,
  type Shape,
  type SnapshotNode,
} from '@clawbernetes/fleet';
import {
  alikeNodes,
  explainGang,
  FleetPacking,
  FleetTopology,
  NodeGroups,
  type ShapeOfGang,
} from '@clawbernetes/fleet/scheduler';
import { assert, seededRandom, type Random } from '@clawbernetes/kernel';

const NODES = 5000;
/** A rack of the bar holds more than the gang. */
const NODES_PER_RACK = 1250;
const DOMAIN_NODES = 18;
const GPUS = 8;
const FRAGMENTED = 0.8;
const MEMBERS = 512;
const CPU_MILLI = 16_000;
const MEMORY_MIB = 98_304;
const MEMBER: Shape = {
  gpus: GPUS,
  gpuModels: [],
  minGpuMemoryMib: 0,
  cpuMilli: GPUS * CPU_MILLI,
  memoryMib: GPUS * MEMORY_MIB,
  executor: 'process',
  sandboxRequired: false,
  nodeSelector: {},
};

export const GANG: GangDemand = {
  members: { min: MEMBERS, max: MEMBERS },
  topology: { level: 'rack', rule: 'required' },
};
/** Larger than any rack. */
export const TOO_LARGE: GangDemand = {
  members: { min: NODES_PER_RACK + 1, max: NODES_PER_RACK + 1 },
  topology: { level: 'rack', rule: 'required' },
};

/** Free GPUs of each node: one rack has just enough whole nodes, the others share the rest of them. */
export function fragmentedFleet(seed: number): Uint8Array {
  const random = seededRandom(seed);
  const free = Uint8Array.from({ length: NODES }, () => Math.floor(random.fraction() * GPUS));
  const racks = NODES / NODES_PER_RACK;
  const rack = Math.floor(random.fraction() * racks);
  const whole = Math.round(NODES * (1 - FRAGMENTED));
  const inRack = MEMBERS + Math.floor(random.fraction() * 30);
  empty(free, inRack, () => rack * NODES_PER_RACK + pick(NODES_PER_RACK, random));
  empty(free, whole - inRack, () => {
    const other = (rack + 1 + pick(racks - 1, random)) % racks;
    return other * NODES_PER_RACK + pick(NODES_PER_RACK, random);
  });
  return free;
}

function empty(free: Uint8Array, count: number, next: () => number): void {
  for (let done = 0; done < count;) {
    const node = next();
    if (free[node] === GPUS) continue;
    free[node] = GPUS;
    done += 1;
  }
}

function pick(count: number, random: Random): number {
  return Math.floor(random.fraction() * count);
}

/** The fleet as a gateway keeps it between its plans. */
export interface GangBench {
  readonly groups: NodeGroups;
  readonly topology: FleetTopology;
  readonly packing: FleetPacking;
  readonly nodes: readonly SnapshotNode[];
}

const MODEL = 'NVIDIA H100 80GB HBM3';

export function gangBench(free: Uint8Array): GangBench {
  const classes = new NodeClasses();
  const packing = new FleetPacking();
  const nodes = Array.from(free, (count, node) => nodeOf(node, count, classes));
  return {
    groups: new NodeGroups(packing.groupKey, nodes),
    topology: new FleetTopology(nodes),
    packing,
    nodes,
  };
}

function nodeOf(node: number, free: number, classes: NodeClasses): SnapshotNode {
  const rack = `r${Math.floor(node / NODES_PER_RACK)}`;
  const domain = `d${Math.floor((node % NODES_PER_RACK) / DOMAIN_NODES)}`;
  const capacity = { cpuMilli: 192_000, memoryMib: 1_048_576 };
  const gpus = (taken: number): SnapshotNode['gpus'] =>
    Array.from({ length: GPUS }, (_, place) => {
      const freeMilli = place < taken ? 0 : 1000;
      return {
        id: `gpu-${node}-${place}`,
        model: MODEL,
        memoryMib: 81_559,
        numaNode: place >> 2,
        freeMilli,
        usable: true,
      };
    });
  const bare: SnapshotNode = {
    id: `node-${node}`,
    name: `n${node}`,
    schedulable: true,
    labels: { node: `n${node}`, site: 's', rack, 'nvlink-domain': domain },
    ...{ capacity, free: capacity, gpus: gpus(0) },
    gpuClass: classes.of(NVSWITCH),
    executors: new Set(['process']),
    sandboxed: false,
  };
  const taken = GPUS - free;
  const left = {
    cpuMilli: capacity.cpuMilli - taken * CPU_MILLI,
    memoryMib: capacity.memoryMib - taken * MEMORY_MIB,
  };
  return { ...bare, free: left, gpus: gpus(taken), empty: bare };
}

/** Every GPU reaches every other over NVLink. */
const NVSWITCH = {
  models: Array.from({ length: GPUS }, () => MODEL),
  numaNodes: Array.from({ length: GPUS }, (_, place) => place >> 2),
  links: Array.from({ length: GPUS }, () =>
    Array.from({ length: GPUS }, () => ({ link: 'NV' as const, width: 18 })),
  ),
};

export interface TimedGang {
  readonly placements: readonly Placement[];
  readonly waiting?: ReturnType<typeof explainGang>;
  readonly ms: number;
}

/**
 * A plan as a gateway makes it, with the GPUs of every member and the nodes as they are afterwards; if the
 * gang has no place, why. Nothing is known of this shape before.
 */
export function timeGang(bench: GangBench, demand: GangDemand): TimedGang {
  const shape: ShapeOfGang = { ...MEMBER, gang: demand };
  const pending = [{ key: shapeKey(shape), shape, workloadIds: ['gang'] }];
  const startMs = performance.now();
  const { placements } = planPlacements(bench.groups, pending, 500, bench.packing, {
    topology: bench.topology,
  });
  const waiting = placements.length > 0 ? undefined : whyNot(bench, shape);
  return { placements, ...(waiting ? { waiting } : {}), ms: performance.now() - startMs };
}

function whyNot({ nodes, packing, topology }: GangBench, shape: ShapeOfGang): ReturnType<typeof explainGang> {
  return explainGang({ alike: alikeNodes(nodes, packing.groupKey), unapproved: [] }, shape, topology);
}

/** All members, each on all GPUs of a free node of one rack, none twice, in the order of their ranks. */
export function checkGang({ placements }: TimedGang, free: Uint8Array): void {
  const nodes = placements.map(({ nodeId }) => Number(nodeId.slice('node-'.length)));
  assert(nodes.length === MEMBERS && new Set(nodes).size === MEMBERS, 'each member has a node of its own');
  assert(
    placements.every(({ member }, rank) => member?.rank === rank),
    'ranks are complete',
  );
  assert(
    nodes.every((node) => free[node] === GPUS),
    'the nodes of a gang are free',
  );
  const devices = new Set(placements.flatMap((placement) => placement.devices));
  assert(devices.size === MEMBERS * GPUS, 'no GPU is given twice');
  assert(new Set(nodes.map((node) => Math.floor(node / NODES_PER_RACK))).size === 1, 'a gang is in one rack');
}
