import type { Shape } from './resources.ts';
import { discouraging, meets, repelling, unmetWeight } from './node-constraints.ts';
import type { SnapshotGpu, SnapshotNode } from './snapshot.ts';

/** Why a node could not host a shape even if it were empty. */
export type Misfit =
  'selector' | 'affinity' | 'executor' | 'sandbox' | 'cpu' | 'memory' | 'gpu-model' | 'gpu-count' | 'taint';

export function suits(gpu: SnapshotGpu, shape: Shape): boolean {
  if (!gpu.usable || gpu.memoryMib < shape.minGpuMemoryMib) return false;
  if (shape.gpuModels.length === 0) return true;
  const model = gpu.model.toLowerCase();
  return shape.gpuModels.some((wanted) => model.includes(wanted));
}

/** Why the node could not host the shape even if it were empty, or undefined if it could. */
export function neverFits(node: SnapshotNode, shape: Shape): Misfit | undefined {
  if (shape.nodeId !== undefined && shape.nodeId !== node.id) return 'selector';
  for (const [label, value] of Object.entries(shape.nodeSelector)) {
    if (node.labels[label] !== value) return 'selector';
  }
  if (shape.affinity?.required.some((term) => !meets(node.labels, term))) return 'affinity';
  if (!node.executors.has(shape.executor)) return 'executor';
  if (shape.sandboxRequired && !node.sandboxed) return 'sandbox';
  if (node.capacity.cpuMilli < shape.cpuMilli) return 'cpu';
  if (node.capacity.memoryMib < shape.memoryMib) return 'memory';
  const suitable = shape.gpus === 0 ? 0 : node.gpus.filter((gpu) => suits(gpu, shape)).length;
  if (suitable < shape.gpus) return node.gpus.length >= shape.gpus ? 'gpu-model' : 'gpu-count';
  const isRepelled = node.taints !== undefined && repelling(node.taints, shape.tolerations ?? []).length > 0;
  return isRepelled ? 'taint' : undefined;
}

/** The GPUs to give on this node now, or undefined if it has too little free. */
export function fitNow(node: SnapshotNode, shape: Shape): readonly string[] | undefined {
  if (node.free.cpuMilli < shape.cpuMilli || node.free.memoryMib < shape.memoryMib) return undefined;
  if (shape.gpus === 0) return [];
  const free = node.gpus.filter((gpu) => gpu.free && suits(gpu, shape));
  return free.length < shape.gpus ? undefined : chooseGpus(free, shape.gpus);
}

/**
 * From the NUMA node whose free GPUs fit most tightly, so that whole ones stay whole; else across, in order.
 */
function chooseGpus(free: readonly SnapshotGpu[], count: number): readonly string[] {
  const sizes = new Map<number, number>();
  for (const { numaNode = 0 } of free) sizes.set(numaNode, (sizes.get(numaNode) ?? 0) + 1);
  let tightest: number | undefined;
  let least = Infinity;
  for (const [numaNode, size] of sizes) {
    if (size < count || size >= least) continue;
    tightest = numaNode;
    least = size;
  }
  const near = tightest === undefined ? free : free.filter(({ numaNode = 0 }) => numaNode === tightest);
  return near.slice(0, count).map((gpu) => gpu.id);
}

/**
 * The share of the node that stays free after placement, GPUs first, then the scarcer of CPU and
 * memory. Lower is better. A node with GPUs is the last choice for work without.
 */
export function leftover(node: SnapshotNode, shape: Shape): number {
  const freeGpus = node.gpus.reduce((sum, gpu) => sum + (gpu.free && gpu.usable ? 1 : 0), 0) - shape.gpus;
  const cpu = (node.free.cpuMilli - shape.cpuMilli) / Math.max(1, node.capacity.cpuMilli);
  const memory = (node.free.memoryMib - shape.memoryMib) / Math.max(1, node.capacity.memoryMib);
  return freeGpus * 2 + (cpu + memory) / 2;
}

// More than any loss of packing: taints that discourage come first, then preferences by their weight.
const DISCOURAGED = 100_000_000_000;
const UNMET = 10_000_000;

/** How little the node is wanted for the shape though it may take it. */
export function reluctance(
  { taints = [], labels }: SnapshotNode,
  { tolerations = [], affinity }: Shape,
): number {
  const discouraged = taints.length === 0 ? 0 : discouraging(taints, tolerations).length;
  return discouraged * DISCOURAGED + (affinity ? unmetWeight(labels, affinity.preferred) * UNMET : 0);
}

/** Of what is left free, against what packing costs: it decides only between nodes that cost the same. */
const LEFTOVER_WEIGHT = 1e-3;

/** How a shape fares on a node now; alike on nodes that are alike, unless it names one. */
export interface Fit {
  /** Why not even if the node were empty. */
  readonly misfit?: Misfit;
  readonly hasRoom: boolean;
  /** What the place costs besides the room that others lose; 0 without room. */
  readonly surcharge: number;
}

export function fitOf(node: SnapshotNode, shape: Shape): Fit {
  const misfit = neverFits(node, shape);
  if (misfit !== undefined) return { misfit, hasRoom: false, surcharge: 0 };
  if (!node.schedulable || fitNow(node, shape) === undefined) return { hasRoom: false, surcharge: 0 };
  return { hasRoom: true, surcharge: LEFTOVER_WEIGHT * leftover(node, shape) + reluctance(node, shape) };
}
