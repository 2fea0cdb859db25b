import type { Obstacle, ObstacleCode } from '@clawbernetes/protocol';
import { hasRoomNow } from '../fit.ts';
import { ableGpus, hasGpus, largestIsland, largestPart, milliOf, suits, type Holding } from '../gpu-fit.ts';
import { inOnePart } from '../gpu-parts.ts';
import { describeTaint, describeTerm, meets, repelling } from '../node-constraints.ts';
import type { Shape } from '../resources.ts';
import { NODE_NAME_LABEL, type SnapshotGpu, type SnapshotNode } from '../snapshot.ts';
import { levelText } from '../topology/gpu-level.ts';
import { spanText } from './reserved-words.ts';

/** All that keeps a node from taking a shape now, most fundamental first; none if it could. */
export function obstaclesOf(node: SnapshotNode, shape: Shape): readonly Obstacle[] {
  return [
    ...wishes(node, shape),
    ...equipment(node, shape),
    ...gpuHardware(node, shape),
    ...taints(node, shape),
    ...readiness(node),
    ...inUse(node, shape),
  ];
}

/** Which node it asks for. */
function* wishes(node: SnapshotNode, shape: Shape): Generator<Obstacle> {
  if (shape.nodeId !== undefined && shape.nodeId !== node.id)
    yield { code: 'other-node', what: 'that it is bound to' };
  for (const [label, value] of Object.entries(shape.nodeSelector)) {
    if (node.labels[label] === value) continue;
    if (label === NODE_NAME_LABEL) yield { code: 'other-node', what: value };
    else yield { code: 'label', what: `${label}=${value}` };
  }
  for (const term of shape.affinity?.required ?? [])
    if (!meets(node.labels, term)) yield { code: 'affinity', what: describeTerm(term) };
}

function* equipment({ executors, sandboxed, capacity }: SnapshotNode, shape: Shape): Generator<Obstacle> {
  if (!executors.has(shape.executor)) yield { code: 'executor', what: shape.executor };
  if (shape.sandboxRequired && !sandboxed) yield { code: 'sandbox' };
  if (capacity.cpuMilli < shape.cpuMilli)
    yield { code: 'cpu', needs: shape.cpuMilli, has: capacity.cpuMilli };
  if (capacity.memoryMib < shape.memoryMib)
    yield { code: 'memory', needs: shape.memoryMib, has: capacity.memoryMib };
}

function* gpuHardware(node: SnapshotNode, shape: Shape): Generator<Obstacle> {
  if (hasGpus(node, shape, 'empty')) return;
  const { gpus: needs, migProfile } = shape;
  const suitable = ableGpus(node, shape, 'empty');
  const ofKind = node.gpus.filter((gpu) => gpu.migProfile === migProfile && !gpu.isCut).length;
  const repaired = { ...node, gpus: node.gpus.map(inOrder) };
  if (hasGpus(repaired, shape, 'empty'))
    yield { code: 'gpu-health', needs, has: Math.min(suitable, largestTogether(node, shape, 'empty')) };
  else if (ofKind < needs && migProfile !== undefined)
    yield { code: 'mig-profile', what: migProfile, needs, has: ofKind };
  else if (ofKind < needs) yield { code: 'gpu-count', needs, has: ofKind };
  else if (ableGpus(repaired, shape, 'empty') < needs) yield { code: 'gpu-model', needs, has: suitable };
  else if (isApart(repaired, shape, 'empty')) yield apart('gpus-apart', node, shape, 'empty');
  else yield { code: 'nvlink', needs, has: largestIsland(node, shape, 'empty') };
}

function largestTogether(node: SnapshotNode, shape: Shape, holding: Holding): number {
  const largest = shape.within === undefined ? largestIsland : largestPart;
  return largest(node, shape, holding);
}

/** Whether it has the GPUs that are asked for, but not on one part of it. */
function isApart(node: SnapshotNode, shape: Shape, holding: Holding): boolean {
  return shape.within !== undefined && hasGpus(node, inOnePart(shape), holding);
}

function apart(
  code: 'gpus-apart' | 'gpus-apart-in-use',
  node: SnapshotNode,
  shape: Shape,
  holding: Holding,
): Obstacle {
  const what = levelText(shape.within ?? '');
  return { code, what, needs: shape.gpus, has: largestPart(node, shape, holding) };
}

/** As if a GPU that is out of use for its health were in order. */
export function inOrder(gpu: SnapshotGpu): SnapshotGpu {
  return gpu.outOfUse === undefined || gpu.isCut ? gpu : { ...gpu, usable: true };
}

function* taints(node: SnapshotNode, { tolerations = [] }: Shape): Generator<Obstacle> {
  for (const taint of repelling(node.taints ?? [], tolerations))
    yield { code: 'taint', what: describeTaint(taint) };
}

const READINESS: Readonly<Record<string, ObstacleCode>> = {
  cordoned: 'cordoned',
  draining: 'draining',
  drained: 'draining',
  suspect: 'unreachable',
  disconnected: 'unreachable',
  lost: 'unreachable',
};

/** What a node that takes no work now is; undefined if it does take some. */
export function readinessCode({
  schedulable,
  unschedulableReason = '',
}: SnapshotNode): ObstacleCode | undefined {
  return schedulable ? undefined : (READINESS[unschedulableReason] ?? 'not-ready');
}

function* readiness(node: SnapshotNode): Generator<Obstacle> {
  const code = readinessCode(node);
  if (code !== undefined) yield { code, what: node.unschedulableReason ?? 'not ready' };
}

/** What the node has, but not free. What it does not have at all is told by others. */
function* inUse(node: SnapshotNode, shape: Shape): Generator<Obstacle> {
  if (node.reserved && !hasRoomNow(node, shape)) {
    const others = [...inUse(node.reserved.without, shape)];
    const by = node.reserved.by.map(spanText).join(' and ');
    return yield* others.length > 0 ? others : [{ code: 'reserved' as const, what: by }];
  }
  const { free, capacity } = node;
  if (hasGpus(node, shape, 'empty') && !hasGpus(node, shape, 'now')) yield gpusInUse(node, shape);
  if (capacity.cpuMilli >= shape.cpuMilli && free.cpuMilli < shape.cpuMilli)
    yield { code: 'cpu-in-use', needs: shape.cpuMilli, has: Math.max(0, free.cpuMilli) };
  if (capacity.memoryMib >= shape.memoryMib && free.memoryMib < shape.memoryMib)
    yield { code: 'memory-in-use', needs: shape.memoryMib, has: Math.max(0, free.memoryMib) };
}

/** Why a node that has the GPUs cannot give them now. */
export function gpusInUse(node: SnapshotNode, shape: Shape): Obstacle {
  if (shape.gpuMilli !== undefined)
    return { code: 'gpu-share-in-use', needs: milliOf(shape), has: largestShare(node, shape) };
  const idle = ableGpus(node, shape, 'now');
  if (idle < shape.gpus) return { code: 'gpus-in-use', needs: shape.gpus, has: idle };
  if (isApart(node, shape, 'now')) return apart('gpus-apart-in-use', node, shape, 'now');
  return { code: 'nvlink-in-use', needs: shape.gpus, has: largestIsland(node, shape, 'now') };
}

/** Most thousandths that are free of one suitable GPU. */
export function largestShare({ gpus }: SnapshotNode, shape: Shape): number {
  return gpus.reduce((most, gpu) => (suits(gpu, shape) ? Math.max(most, gpu.freeMilli) : most), 0);
}
