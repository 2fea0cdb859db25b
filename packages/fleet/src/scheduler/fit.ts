import { WHOLE_GPU } from './cluster/demand.ts';
import { ableGpus, chooseGpus, hasGpus, isLinked, membersOfGpus, milliOf } from './gpu-fit.ts';
import { inOnePart } from './gpu-parts.ts';
import { discouraging, meets, repelling, unmetWeight } from './node-constraints.ts';
import type { Shape } from './resources.ts';
import type { SnapshotGpu, SnapshotNode } from './snapshot.ts';
import { MAX_ROOM } from './topology/domain-capacity.ts';

/** Why a node could not host a shape even if it were empty. */
export type Misfit =
  | 'selector'
  | 'affinity'
  | 'executor'
  | 'sandbox'
  | 'cpu'
  | 'memory'
  | 'gpu-count'
  | 'mig-profile'
  | 'gpu-model'
  | 'nvlink'
  | 'gpus-apart'
  | 'taint';

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
  if (!hasGpus(node, shape, 'empty')) return gpuMisfit(node, shape);
  const isRepelled = node.taints !== undefined && repelling(node.taints, shape.tolerations ?? []).length > 0;
  return isRepelled ? 'taint' : undefined;
}

/** What is wrong with the GPUs of a node that lacks those that are asked for. */
function gpuMisfit(node: SnapshotNode, shape: Shape): Misfit {
  const { gpus, migProfile } = shape;
  const isOfKind = (gpu: SnapshotGpu): boolean => gpu.migProfile === migProfile && !gpu.isCut;
  const ofKind = node.gpus.reduce((count, gpu) => count + (isOfKind(gpu) ? 1 : 0), 0);
  if (ofKind < gpus) return migProfile === undefined ? 'gpu-count' : 'mig-profile';
  if (ableGpus(node, shape, 'empty') < gpus) return 'gpu-model';
  return shape.within !== undefined && hasGpus(node, inOnePart(shape), 'empty') ? 'gpus-apart' : 'nvlink';
}

/** Whether the node has enough free now, whatever else it is. */
export function hasRoomNow(node: SnapshotNode, shape: Shape): boolean {
  if (node.free.cpuMilli < shape.cpuMilli || node.free.memoryMib < shape.memoryMib) return false;
  return hasGpus(node, shape, 'now');
}

/**
 * The GPUs to give on this node now, or undefined if it has too little free. @param from thousandths that are
 * free of the GPU from which a share is taken; absent = the least that suffices.
 */
export function fitNow(node: SnapshotNode, shape: Shape, from?: number): readonly string[] | undefined {
  if (node.free.cpuMilli < shape.cpuMilli || node.free.memoryMib < shape.memoryMib) return undefined;
  return shape.gpus === 0 ? [] : chooseGpus(node, shape, from);
}

/** How many of a shape could be placed on this node now, one after the other; at most 65,535. */
export function membersThatFit(node: SnapshotNode, shape: Shape): number {
  if (!node.schedulable || neverFits(node, shape) !== undefined) return 0;
  const byCpu = timesIn(node.free.cpuMilli, shape.cpuMilli);
  const byMemory = timesIn(node.free.memoryMib, shape.memoryMib);
  const byGpus = shape.gpus === 0 ? MAX_ROOM : membersOfGpus(node, shape);
  return Math.min(MAX_ROOM, byCpu, byMemory, byGpus);
}

function timesIn(free: number, each: number): number {
  if (free < each) return 0;
  return each === 0 ? MAX_ROOM : Math.floor(free / each);
}

/**
 * The share of the node that stays free after placement, GPUs first, then the scarcer of CPU and
 * memory. Lower is better. A node with GPUs is the last choice for work without.
 */
export function leftover(node: SnapshotNode, shape: Shape): number {
  const freeMilli = node.gpus.reduce((sum, gpu) => sum + (gpu.usable ? gpu.freeMilli : 0), 0);
  const freeGpus = (freeMilli - shape.gpus * milliOf(shape)) / WHOLE_GPU;
  const cpu = (node.free.cpuMilli - shape.cpuMilli) / Math.max(1, node.capacity.cpuMilli);
  const memory = (node.free.memoryMib - shape.memoryMib) / Math.max(1, node.capacity.memoryMib);
  return freeGpus * 2 + (cpu + memory) / 2;
}

// More than any loss of packing: taints that discourage come first, then preferences by their weight.
const DISCOURAGED = 100_000_000_000;
const UNMET = 10_000_000;
/** Of NVLink that is preferred, as of the weightiest label. */
const NVLINK_WEIGHT = 100;

/** How little the node is wanted for the shape though it may take it. */
export function reluctance(node: SnapshotNode, shape: Shape): number {
  const { taints = [], labels } = node;
  const { tolerations = [], affinity, nvlink } = shape;
  const discouraged = taints.length === 0 ? 0 : discouraging(taints, tolerations).length;
  const unlinked = nvlink === 'preferred' && !isLinked(node, shape) ? NVLINK_WEIGHT : 0;
  const unmet = unlinked + (affinity ? unmetWeight(labels, affinity.preferred) : 0);
  return discouraged * DISCOURAGED + unmet * UNMET;
}

/** Of what is left free, against what packing costs: it decides only between nodes that cost the same. */
const LEFTOVER_WEIGHT = 1e-3;

/** What a place costs besides the room that others lose. */
export function surcharge(node: SnapshotNode, shape: Shape): number {
  return LEFTOVER_WEIGHT * leftover(node, shape) + reluctance(node, shape);
}
