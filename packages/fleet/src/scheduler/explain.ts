import { formatBytes } from '@clawbernetes/kernel';
import type { WaitReason } from '@clawbernetes/protocol';
import { fitNow, neverFits, type Misfit } from './fit.ts';
import { ableGpus, hasGpus, largestIsland, largestPart, suits } from './gpu-fit.ts';
import { inOnePart } from './gpu-parts.ts';
import type { Shape } from './resources.ts';
import { describeTaint, describeTerm, repelling } from './node-constraints.ts';
import { atOnce, filtered, type Sliced } from './slices.ts';
import { NODE_NAME_LABEL, type SnapshotGpu, type SnapshotNode } from './snapshot.ts';
import { levelText } from './topology/gpu-level.ts';
import { countNodes, examples, firstNodes, type Alike } from './why/alike.ts';
import { inOrder, largestShare } from './why/obstacle.ts';
import { percent, wantedGpus } from './why/obstacle-words.ts';

export interface Waiting {
  readonly reason: WaitReason;
  /** What it needs, what stands in the way, and what would help. */
  readonly message: string;
}

/** The fleet for whoever asks why something waits. */
export interface Explained {
  /** To the shape that it is asked for. */
  readonly alike: readonly Alike[];
  /** Names of nodes that wait for a person's approval. */
  readonly unapproved: readonly string[];
}

/** Why a shape that no node can take now has to wait, most fundamental reason first. */
export function explainWait(explained: Explained, shape: Shape): Waiting {
  return atOnce(explainingWait(explained, shape));
}

/** Of a group of nodes, in looks. */
const LOOKS_PER_GROUP = 1;

/** The same in pieces. */
export function* explainingWait({ alike, unapproved }: Explained, shape: Shape): Sliced<Waiting> {
  if (alike.length === 0) return explainEmpty(unapproved);
  const fits = ({ example }: Alike): boolean => neverFits(example, shape) === undefined;
  const able = yield* filtered(alike, LOOKS_PER_GROUP, fits);
  if (able.length === 0) return explainNever(alike, shape);
  const ready = able.filter(({ example }) => example.schedulable);
  if (ready.length === 0) return explainUnschedulable(able, shape);
  const hasRoom = ({ example }: Alike): boolean => fitNow(example, shape) !== undefined;
  const roomy = countNodes(yield* filtered(ready, LOOKS_PER_GROUP, hasRoom));
  return roomy > 0 ? explainTurn(roomy) : explainCapacity(examples(ready), shape);
}

/** It was not tried yet, or what has waited longer goes first. */
function explainTurn(nodes: number): Waiting {
  const who = nodes === 1 ? '1 node has' : `${nodes} nodes have`;
  return { reason: 'waiting-for-capacity', message: `${who} room for it now; it starts in its turn.` };
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
const MISFITS: Record<Misfit, (shape: Shape, alike: readonly Alike[]) => string> = {
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
  cpu: (shape, alike) => {
    const most = largest(examples(alike), (node) => node.capacity.cpuMilli);
    return `no node has ${cpus(shape.cpuMilli)}; the largest has ${most.count / 1000} (${most.name}). ${ASK_FOR_LESS}`;
  },
  memory: (shape, alike) => {
    const most = largest(examples(alike), (node) => node.capacity.memoryMib);
    return `no node has ${mebibytes(shape.memoryMib)}; the largest has ${mebibytes(most.count)} (${most.name}). ${ASK_FOR_LESS}`;
  },
  'gpu-count': gpusMissing,
  'mig-profile': migMissing,
  'gpu-model': gpusMissing,
  nvlink: nvlinkMissing,
  'gpus-apart': gpusApart,
  taint: taintsRepel,
};

function selectorUnknown({ nodeId, nodeSelector }: Shape): string {
  if (nodeId !== undefined) return 'the node that it is bound to is not in the fleet.';
  const { [NODE_NAME_LABEL]: name, ...labels } = nodeSelector;
  if (name !== undefined && Object.keys(labels).length === 0)
    return `no node is called ${name}; clawbernetes node list shows those that there are.`;
  return `no node has the labels ${labelsOf(nodeSelector)}. Ask for other labels, or add such a node.`;
}

function taintsRepel({ tolerations = [] }: Shape, alike: readonly Alike[]): string {
  const named = firstNodes(alike, NAMED).map(({ name, taints = [] }) => {
    const why = repelling(taints, tolerations).map(describeTaint);
    return `${name} has ${why.join(' and ')}`;
  });
  const more = countNodes(alike) - NAMED;
  const rest = more > 0 ? `, and ${more} more` : '';
  return (
    `nodes that could take it have taints that it does not tolerate: ${named.join(', ')}${rest}. ` +
    'Give it tolerations, or remove a taint: clawbernetes node taint.'
  );
}

/** The node that would do if all its GPUs were in order. */
function nearlyEnough(shape: Shape, nodes: readonly SnapshotNode[]): string {
  for (const { name, gpus } of nodes) {
    const kind = gpus.filter((gpu) => gpu.migProfile === shape.migProfile && !gpu.isCut);
    const out = kind.filter((gpu) => gpu.outOfUse !== undefined);
    const whole = kind.filter((gpu) => suits(inOrder(gpu), shape));
    if (out.length === 0 || whole.length < shape.gpus) continue;
    const why = [...new Set(out.map((gpu) => gpu.outOfUse))].join(' or ');
    const some = out.length === 1 ? '1 of them is' : `${out.length} of them are`;
    const noun = shape.migProfile === undefined ? 'GPU' : 'MIG instance';
    const what = `${kind.length} ${noun}${kind.length === 1 ? '' : 's'} ${shape.migProfile ?? ''}`.trimEnd();
    const which = kind.length === 1 ? 'it is' : some;
    return `; ${name} has ${what}, but ${which} ${why} (see clawbernetes node info ${name})`;
  }
  return '';
}

const ASK_FOR_LESS = 'Ask for less, or add such a node.';

function migMissing({ gpus, migProfile }: Shape, alike: readonly Alike[]): string {
  const nodes = examples(alike);
  const kinds = new Set(nodes.flatMap((node) => node.gpus.flatMap((gpu) => gpu.migProfile ?? [])));
  const most = largest(nodes, (node) => node.gpus.filter((gpu) => gpu.migProfile === migProfile).length);
  const have = most.count > 0 ? `; the most are ${most.count} (${most.name})` : '';
  const others = [...kinds].filter((kind) => kind !== migProfile).toSorted();
  const other =
    others.length > 0 ? `; there are instances of ${others.join(', ')}` : '; no node shows any other';
  return (
    `no node has ${gpus === 1 ? 'a MIG instance' : `${gpus} MIG instances`} of that profile` +
    `${have || other}. Instances are not made on demand: partition a GPU on its machine (nvidia-smi mig), ` +
    'or ask for another profile.'
  );
}

function nvlinkMissing(shape: Shape, alike: readonly Alike[]): string {
  const most = largest(examples(alike), (node) => largestIsland(node, shape, 'empty'));
  const have = most.count > 1 ? `; the most that are joined are ${most.count} (${most.name})` : '';
  return (
    `no node has ${shape.gpus} such GPUs that NVLink joins${have}. ` +
    'Ask for fewer, or only prefer NVLink (--nvlink preferred).'
  );
}

function gpusApart(shape: Shape, alike: readonly Alike[]): string {
  const most = largest(examples(alike), (node) => largestPart(node, shape, 'empty'));
  const place = levelText(shape.within ?? '');
  return (
    `no node has so many on one ${place}; the most are ${most.count} (${most.name}). ` +
    `Ask for fewer, or only prefer one ${place} (--topology ${shape.within ?? ''}=preferred).`
  );
}

function gpusMissing(shape: Shape, alike: readonly Alike[]): string {
  const most = largest(examples(alike), (node) => ableGpus(node, shape, 'empty'));
  const count = (what: (gpu: SnapshotGpu) => boolean): number =>
    alike.reduce((sum, { example, nodes }) => sum + nodes.length * example.gpus.filter(what).length, 0);
  const unfit = count((gpu) => !gpu.usable && !gpu.isCut && gpu.migProfile === shape.migProfile);
  const cut = shape.migProfile === undefined ? count((gpu) => gpu.isCut === true) : 0;
  const have = most.count > 0 ? `; the most in working order are ${most.count} (${most.name})` : '';
  const broken =
    unfit > 0 ? `; ${unfit} of the fleet's GPUs cannot be given out (see clawbernetes status)` : '';
  const inParts =
    cut > 0
      ? `; ${cut} of the fleet's GPUs ${cut === 1 ? 'is' : 'are'} in MIG mode (--mig asks for instances)`
      : '';
  const nearly = nearlyEnough(shape, examples(alike));
  const rest = nearly === '' ? `${broken}${inParts}` : nearly;
  return `no node has ${describeGpus(shape)}${have}${rest}. ${ASK_FOR_LESS}`;
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
  'mig-profile',
  'gpu-model',
  'nvlink',
  'gpus-apart',
  'taint',
];

function explainNever(alike: readonly Alike[], shape: Shape): Waiting {
  const misfits = new Map(alike.map((group) => [group, neverFits(group.example, shape) ?? 'selector']));
  const nearest = MISFIT_ORDER.findLast((misfit) => misfits.values().some((one) => one === misfit));
  const closest = alike.filter((group) => misfits.get(group) === nearest);
  return {
    reason: 'never-fits',
    message: `It needs ${describeShape(shape)}, and ${MISFITS[nearest ?? 'selector'](shape, closest)}`,
  };
}

/** Nodes named in a reason; the rest is counted. */
const NAMED = 3;

function explainUnschedulable(able: readonly Alike[], shape: Shape): Waiting {
  const named = firstNodes(able, NAMED);
  const count = countNodes(able);
  const why = named.map((node) => `${node.name} is ${node.unschedulableReason ?? 'not ready'}`).join(', ');
  const rest = count > NAMED ? `, and ${count - NAMED} more are not ready either` : '';
  const held = examples(able).find(
    ({ unschedulableReason: reason }) => reason?.startsWith('drain') || reason === 'cordoned',
  );
  const help = held
    ? `It starts after: clawbernetes node ${held.unschedulableReason === 'cordoned' ? 'uncordon' : 'undrain'} ${held.name}`
    : 'It starts when one of them is connected again.';
  const only = count === 1 ? help.replace('one of them', 'that node') : help;
  return { reason: 'no-nodes', message: `It needs ${describeShape(shape)}, but ${why}${rest}. ${only}` };
}

function explainCapacity(ready: readonly SnapshotNode[], shape: Shape): Waiting {
  const scarce = shape.gpus > 0 ? freeGpusText(ready, shape) : freeCpuText(ready);
  return {
    reason: 'waiting-for-capacity',
    message: `It needs ${describeShape(shape)} on one node; ${scarce}. It starts when enough is free.`,
  };
}

function freeGpusText(nodes: readonly SnapshotNode[], shape: Shape): string {
  const able = nodes.find((node) => hasGpus(node, shape, 'now'));
  if (able) return `${able.name} has the GPUs free but too little CPU or memory`;
  if (shape.gpuMilli !== undefined) return freeShareText(nodes, shape);
  const most = largest(nodes, (node) => ableGpus(node, shape, 'now'));
  const isApart = (node: SnapshotNode): boolean => hasGpus(node, inOnePart(shape), 'now');
  if (shape.within !== undefined && nodes.some(isApart)) {
    const together = largest(nodes, (node) => largestPart(node, shape, 'now'));
    return `the most free ones of one ${levelText(shape.within)} are ${together.count} on ${together.name}`;
  }
  if (most.count >= shape.gpus) {
    const island = largest(nodes, (node) => largestIsland(node, shape, 'now'));
    return `the most free ones that NVLink joins are ${island.count} on ${island.name}`;
  }
  return most.count === 0
    ? 'all suitable GPUs are in use'
    : `the most free are ${most.count} on ${most.name}`;
}

function freeShareText(nodes: readonly SnapshotNode[], shape: Shape): string {
  const most = largest(nodes, (node) => largestShare(node, shape));
  return most.count === 0
    ? 'all suitable GPUs are in use'
    : `the most that is free of one is ${percent(most.count)}, on ${most.name}`;
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

export function describeShape(shape: Shape): string {
  const cpu = cpus(shape.cpuMilli);
  const memory = mebibytes(shape.memoryMib);
  return shape.gpus > 0 ? `${describeGpus(shape)}, ${cpu} and ${memory}` : `${cpu} and ${memory}`;
}

function describeGpus(shape: Shape): string {
  if (shape.gpuMilli !== undefined) return `${percent(shape.gpuMilli)} of one ${wantedGpus(shape)}`;
  const joined = shape.nvlink === 'required' ? ' joined by NVLink' : '';
  const together = shape.within === undefined ? '' : ` of one ${levelText(shape.within)}`;
  return `${shape.gpus} × ${wantedGpus(shape)}${joined}${shape.gpus > 1 ? together : ''}`;
}

function labelsOf(selector: Shape['nodeSelector']): string {
  return Object.entries(selector)
    .map(([label, value]) => `${label}=${value}`)
    .join(', ');
}
