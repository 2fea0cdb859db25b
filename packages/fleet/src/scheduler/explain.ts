import { formatBytes } from '@clawbernetes/kernel';
import type { WaitReason } from '@clawbernetes/protocol';
import { neverFits, suits, type Misfit } from './fit.ts';
import type { Shape } from './resources.ts';
import type { Snapshot, SnapshotNode } from './snapshot.ts';

export interface Waiting {
  readonly reason: WaitReason;
  /** What it needs, what stands in the way, and what would help. */
  readonly message: string;
}

/** Why a shape that no node can take now has to wait, most fundamental reason first. */
export function explainWait(snapshot: Snapshot, shape: Shape): Waiting {
  const { nodes } = snapshot;
  if (nodes.length === 0) {
    return {
      reason: 'no-nodes',
      message: 'The fleet has no nodes yet; start clawnode on a machine to add one.',
    };
  }
  const able = nodes.filter((node) => neverFits(node, shape) === undefined);
  if (able.length === 0) return explainNever(nodes, shape);
  const ready = able.filter((node) => node.schedulable);
  if (ready.length === 0) return explainUnschedulable(able, shape);
  return explainCapacity(ready, shape);
}

const MISFITS: Record<Misfit, (shape: Shape) => string> = {
  selector: (shape) =>
    shape.nodeId === undefined
      ? `no node has the labels ${labelsOf(shape)}`
      : 'the node that it is bound to is not in the fleet',
  executor: (shape) =>
    shape.executor === 'container'
      ? 'no node with a container engine (start Docker or Podman there and restart clawnode)'
      : 'no node runs plain processes',
  sandbox: () => 'no node can sandbox processes (install bubblewrap there), and this workload requires it',
  cpu: (shape) => `no node has ${shape.cpuMilli / 1000} CPUs`,
  memory: (shape) => `no node has ${formatBytes(shape.memoryMib * 2 ** 20)} of memory`,
  'gpu-count': (shape) => `no node has ${shape.gpus} GPUs`,
  'gpu-model': (shape) => `no node has ${describeGpus(shape)}`,
  capacity: () => 'no node is large enough',
};

/** The nearest miss: the check that fails last is the one whose remedy is smallest. */
const MISFIT_ORDER: readonly Misfit[] = [
  'selector',
  'executor',
  'sandbox',
  'cpu',
  'memory',
  'gpu-count',
  'gpu-model',
  'capacity',
];

function explainNever(nodes: readonly SnapshotNode[], shape: Shape): Waiting {
  const misfits = nodes.map((node) => neverFits(node, shape) ?? 'capacity');
  const nearest = misfits.reduce((best, misfit) =>
    MISFIT_ORDER.indexOf(misfit) > MISFIT_ORDER.indexOf(best) ? misfit : best,
  );
  const most = largest(nodes, (node) => node.gpus.filter((gpu) => suits(gpu, shape)).length);
  const hint = shape.gpus > 0 && most.count > 0 ? ` The largest has ${most.count} (${most.name}).` : '';
  return {
    reason: 'never-fits',
    message: `It needs ${describe(shape)}, and ${MISFITS[nearest](shape)}.${hint} Ask for less, or add such a node.`,
  };
}

function explainUnschedulable(able: readonly SnapshotNode[], shape: Shape): Waiting {
  const why = able.slice(0, 3).map((node) => `${node.name} is ${node.unschedulableReason ?? 'not ready'}`);
  const count = `${able.length} ${able.length === 1 ? 'node' : 'nodes'}`;
  return {
    reason: 'no-nodes',
    message: `It needs ${describe(shape)}; ${count} could run it, but ${why.join(', ')}.`,
  };
}

function explainCapacity(ready: readonly SnapshotNode[], shape: Shape): Waiting {
  const scarce = shape.gpus > 0 ? freeGpusText(ready, shape) : freeCpuText(ready);
  return {
    reason: 'waiting-for-capacity',
    message: `It needs ${describe(shape)} on one node; ${scarce}. It starts when enough is free.`,
  };
}

function freeGpusText(nodes: readonly SnapshotNode[], shape: Shape): string {
  const most = largest(nodes, (node) => node.gpus.filter((gpu) => gpu.free && suits(gpu, shape)).length);
  if (most.count >= shape.gpus) return `${most.name} has the GPUs free but too little CPU or memory`;
  return `the largest free is ${most.count} on ${most.name}`;
}

function freeCpuText(nodes: readonly SnapshotNode[]): string {
  const most = largest(nodes, (node) => node.free.cpuMilli);
  const node = nodes.find((candidate) => candidate.name === most.name);
  return `the most free is ${most.count / 1000} CPUs and ${formatBytes((node?.free.memoryMib ?? 0) * 2 ** 20)} on ${most.name}`;
}

function largest(
  nodes: readonly SnapshotNode[],
  count: (node: SnapshotNode) => number,
): { readonly name: string; readonly count: number } {
  return nodes
    .map((node) => ({ name: node.name, count: count(node) }))
    .reduce((best, next) => (next.count > best.count ? next : best));
}

function describe(shape: Shape): string {
  const cpu = `${shape.cpuMilli / 1000} CPU`;
  const memory = formatBytes(shape.memoryMib * 2 ** 20);
  return shape.gpus > 0 ? `${describeGpus(shape)}, ${cpu} and ${memory}` : `${cpu} and ${memory}`;
}

function describeGpus(shape: Shape): string {
  const model = shape.gpuModels.length > 0 ? shape.gpuModels.join(' or ').toUpperCase() : 'GPU';
  const size = shape.minGpuMemoryMib > 0 ? ` with ${formatBytes(shape.minGpuMemoryMib * 2 ** 20)} each` : '';
  return `${shape.gpus} × ${model}${size}`;
}

function labelsOf(shape: Shape): string {
  return Object.entries(shape.nodeSelector)
    .map(([label, value]) => `${label}=${value}`)
    .join(', ');
}
