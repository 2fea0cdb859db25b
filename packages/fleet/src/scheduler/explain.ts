import { formatBytes } from '@clawbernetes/kernel';
import type { WaitReason } from '@clawbernetes/protocol';
import { neverFits, suits, type Misfit } from './fit.ts';
import type { Shape } from './resources.ts';
import { describeTaint, describeTerm, repelling } from './node-constraints.ts';
import { NODE_NAME_LABEL, type Snapshot, type SnapshotNode } from './snapshot.ts';

export interface Waiting {
  readonly reason: WaitReason;
  /** What it needs, what stands in the way, and what would help. */
  readonly message: string;
}

/** Why a shape that no node can take now has to wait, most fundamental reason first. */
export function explainWait({ nodes, unapproved = [] }: Snapshot, shape: Shape): Waiting {
  if (nodes.length === 0) return explainEmpty(unapproved);
  const able = nodes.filter((node) => neverFits(node, shape) === undefined);
  if (able.length === 0) return explainNever(nodes, shape);
  const ready = able.filter((node) => node.schedulable);
  if (ready.length === 0) return explainUnschedulable(able, shape);
  return explainCapacity(ready, shape);
}

function explainEmpty([waiting, ...others]: readonly string[]): Waiting {
  const message =
    waiting === undefined
      ? 'The fleet has no nodes yet; start clawnode on a machine to add one.'
      : `No node is in the fleet yet: ${waiting}${others.length > 0 ? ` and ${others.length} more` : ''} ` +
        'must be approved first; see clawbernetes node pending.';
  return { reason: 'no-nodes', message };
}

/** What no node offers, and what would help. */
const MISFITS: Record<Misfit, (shape: Shape, nodes: readonly SnapshotNode[]) => string> = {
  selector: selectorUnknown,
  affinity: ({ affinity }) =>
    `no node meets all of its affinity: ${(affinity?.required ?? []).map(describeTerm).join('; ')}. ` +
    'Ask for other labels, or label a node: clawbernetes node label.',
  executor: (shape) =>
    shape.executor === 'container'
      ? 'no node has a container engine. Start Docker or Podman on one.'
      : 'no node runs plain processes.',
  sandbox: () =>
    'no node can sandbox processes, which it requires. Install bubblewrap on one, or ask for no sandbox.',
  cpu: (shape, nodes) => {
    const most = largest(nodes, (node) => node.capacity.cpuMilli);
    return `no node has ${cpus(shape.cpuMilli)}; the largest has ${most.count / 1000} (${most.name}). ${ASK_FOR_LESS}`;
  },
  memory: (shape, nodes) => {
    const most = largest(nodes, (node) => node.capacity.memoryMib);
    return `no node has ${mebibytes(shape.memoryMib)}; the largest has ${mebibytes(most.count)} (${most.name}). ${ASK_FOR_LESS}`;
  },
  'gpu-count': gpusMissing,
  'gpu-model': gpusMissing,
  taint: taintsRepel,
};

function selectorUnknown({ nodeId, nodeSelector }: Shape): string {
  if (nodeId !== undefined) return 'the node that it is bound to is not in the fleet.';
  const { [NODE_NAME_LABEL]: name, ...labels } = nodeSelector;
  if (name !== undefined && Object.keys(labels).length === 0)
    return `no node is called ${name}; clawbernetes node list shows those that there are.`;
  return `no node has the labels ${labelsOf(nodeSelector)}. Ask for other labels, or add such a node.`;
}

function taintsRepel({ tolerations = [] }: Shape, nodes: readonly SnapshotNode[]): string {
  const named = nodes.slice(0, NAMED).map(({ name, taints = [] }) => {
    const why = repelling(taints, tolerations).map(describeTaint);
    return `${name} has ${why.join(' and ')}`;
  });
  const rest = nodes.length > NAMED ? `, and ${nodes.length - NAMED} more` : '';
  return (
    `nodes that could take it have taints that it does not tolerate: ${named.join(', ')}${rest}. ` +
    'Give it tolerations, or remove a taint: clawbernetes node taint.'
  );
}

/** The node that would do if all its GPUs were in order. */
function nearlyEnough(shape: Shape, nodes: readonly SnapshotNode[]): string {
  for (const { name, gpus } of nodes) {
    const out = gpus.filter((gpu) => gpu.outOfUse !== undefined);
    const whole = gpus.filter((gpu) =>
      suits({ ...gpu, usable: gpu.usable || gpu.outOfUse !== undefined }, shape),
    );
    if (out.length === 0 || whole.length < shape.gpus) continue;
    const why = [...new Set(out.map((gpu) => gpu.outOfUse))].join(' or ');
    const some = out.length === 1 ? '1 of them is' : `${out.length} of them are`;
    return `; ${name} has ${gpus.length} GPUs, but ${some} ${why} (see clawbernetes node info ${name})`;
  }
  return '';
}

const ASK_FOR_LESS = 'Ask for less, or add such a node.';

function gpusMissing(shape: Shape, nodes: readonly SnapshotNode[]): string {
  const most = largest(nodes, (node) => node.gpus.filter((gpu) => suits(gpu, shape)).length);
  const unfit = nodes.reduce((sum, node) => sum + node.gpus.filter((gpu) => !gpu.usable).length, 0);
  const have = most.count > 0 ? `; the most in working order are ${most.count} (${most.name})` : '';
  const broken =
    unfit > 0 ? `; ${unfit} of the fleet's GPUs cannot be given out (see clawbernetes status)` : '';
  const nearly = nearlyEnough(shape, nodes);
  return `no node has ${describeGpus(shape)}${have}${nearly === '' ? broken : nearly}. ${ASK_FOR_LESS}`;
}

/** The nearest miss: the check that fails last is the one whose remedy is smallest. */
const MISFIT_ORDER: readonly Misfit[] = [
  'selector',
  'affinity',
  'executor',
  'sandbox',
  'cpu',
  'memory',
  'gpu-count',
  'gpu-model',
  'taint',
];

function explainNever(nodes: readonly SnapshotNode[], shape: Shape): Waiting {
  const misfits = new Map(nodes.map((node) => [node, neverFits(node, shape) ?? 'selector']));
  const nearest = MISFIT_ORDER.findLast((misfit) => misfits.values().some((one) => one === misfit));
  const closest = nodes.filter((node) => misfits.get(node) === nearest);
  return {
    reason: 'never-fits',
    message: `It needs ${describe(shape)}, and ${MISFITS[nearest ?? 'selector'](shape, closest)}`,
  };
}

/** Nodes named in a reason; the rest is counted. */
const NAMED = 3;

function explainUnschedulable(able: readonly SnapshotNode[], shape: Shape): Waiting {
  const named = able.slice(0, NAMED);
  const why = named.map((node) => `${node.name} is ${node.unschedulableReason ?? 'not ready'}`).join(', ');
  const rest = able.length > NAMED ? `, and ${able.length - NAMED} more are not ready either` : '';
  const held = able.find(
    ({ unschedulableReason: reason }) => reason?.startsWith('drain') || reason === 'cordoned',
  );
  const help = held
    ? `It starts after: clawbernetes node ${held.unschedulableReason === 'cordoned' ? 'uncordon' : 'undrain'} ${held.name}`
    : 'It starts when one of them is connected again.';
  const only = able.length === 1 ? help.replace('one of them', 'that node') : help;
  return { reason: 'no-nodes', message: `It needs ${describe(shape)}, but ${why}${rest}. ${only}` };
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
  return most.count === 0
    ? 'all suitable GPUs are in use'
    : `the most free are ${most.count} on ${most.name}`;
}

function freeCpuText(nodes: readonly SnapshotNode[]): string {
  const { name, node, count } = largest(nodes, ({ free }) => free.cpuMilli);
  return `the most free is ${cpus(count)} and ${mebibytes(node.free.memoryMib)} on ${name}`;
}

function largest(
  nodes: readonly SnapshotNode[],
  count: (node: SnapshotNode) => number,
): { readonly node: SnapshotNode; readonly name: string; readonly count: number } {
  return nodes
    .map((node) => ({ node, name: node.name, count: count(node) }))
    .reduce((best, next) => (next.count > best.count ? next : best));
}

function cpus(milli: number): string {
  return `${milli / 1000} ${milli === 1000 ? 'CPU' : 'CPUs'}`;
}

function mebibytes(mib: number): string {
  return `${formatBytes(mib * 2 ** 20)} of memory`;
}

function describe(shape: Shape): string {
  const cpu = cpus(shape.cpuMilli);
  const memory = mebibytes(shape.memoryMib);
  return shape.gpus > 0 ? `${describeGpus(shape)}, ${cpu} and ${memory}` : `${cpu} and ${memory}`;
}

function describeGpus(shape: Shape): string {
  const model = shape.gpuModels.length > 0 ? shape.gpuModels.join(' or ').toUpperCase() : 'GPU';
  const size = shape.minGpuMemoryMib > 0 ? ` with ${formatBytes(shape.minGpuMemoryMib * 2 ** 20)} each` : '';
  return `${shape.gpus} × ${model}${size}`;
}

function labelsOf(selector: Shape['nodeSelector']): string {
  return Object.entries(selector)
    .map(([label, value]) => `${label}=${value}`)
    .join(', ');
}
