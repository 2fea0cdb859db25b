import type { Obstacle, ObstacleCode } from '@clawbernetes/protocol';
import { suits } from '../fit.ts';
import { describeTaint, describeTerm, meets, repelling } from '../node-constraints.ts';
import type { Shape } from '../resources.ts';
import { NODE_NAME_LABEL, type SnapshotGpu, type SnapshotNode } from '../snapshot.ts';

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

function* gpuHardware({ gpus }: SnapshotNode, shape: Shape): Generator<Obstacle> {
  if (shape.gpus === 0) return;
  const suitable = countSuitable(gpus, shape);
  if (suitable >= shape.gpus) return;
  const repaired = countSuitable(gpus.map(inOrder), shape);
  const facts = { needs: shape.gpus, has: suitable };
  if (repaired >= shape.gpus) yield { code: 'gpu-health', ...facts };
  else if (gpus.length < shape.gpus) yield { code: 'gpu-count', needs: shape.gpus, has: gpus.length };
  else yield { code: 'gpu-model', ...facts };
}

/** In all, or only of those that are free. */
function countSuitable(gpus: readonly SnapshotGpu[], shape: Shape, { onlyFree = false } = {}): number {
  let count = 0;
  for (const gpu of gpus) if ((gpu.free || !onlyFree) && suits(gpu, shape)) count += 1;
  return count;
}

/** As if a GPU that is out of use for its health were in order. */
export function inOrder(gpu: SnapshotGpu): SnapshotGpu {
  return gpu.outOfUse === undefined ? gpu : { ...gpu, usable: true };
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
function* inUse({ gpus, free, capacity }: SnapshotNode, shape: Shape): Generator<Obstacle> {
  const idle = shape.gpus === 0 ? 0 : countSuitable(gpus, shape, { onlyFree: true });
  if (idle < shape.gpus && countSuitable(gpus, shape) >= shape.gpus)
    yield { code: 'gpus-in-use', needs: shape.gpus, has: idle };
  if (capacity.cpuMilli >= shape.cpuMilli && free.cpuMilli < shape.cpuMilli)
    yield { code: 'cpu-in-use', needs: shape.cpuMilli, has: Math.max(0, free.cpuMilli) };
  if (capacity.memoryMib >= shape.memoryMib && free.memoryMib < shape.memoryMib)
    yield { code: 'memory-in-use', needs: shape.memoryMib, has: Math.max(0, free.memoryMib) };
}
