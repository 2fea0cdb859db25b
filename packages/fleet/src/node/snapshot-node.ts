import type { AttemptRecord, NodePresence, NodeRecord } from '../records.ts';
import { isOutOfUse } from './gpu-condition.ts';
import { conditionOf, toRelease } from './instance-condition.ts';
import { WHOLE_GPU } from '../scheduler/cluster/demand.ts';
import { migPart } from '../scheduler/cluster/mig-part.ts';
import { withFree } from '../scheduler/gpu-fit.ts';
import { NODE_NAME_LABEL, type SnapshotGpu, type SnapshotNode } from '../scheduler/snapshot.ts';
import { maskGpus, type NodeClass } from '../scheduler/topology/node-class.ts';

export interface NodeFacts {
  readonly presence: NodePresence | undefined;
  /** Ids of GPUs whose last work has ended and whose memory is not back yet. */
  readonly cleaning?: ReadonlySet<string>;
  /** Of its inventory. */
  readonly gpuClass?: NodeClass;
}

const NONE: ReadonlySet<string> = new Set();

/** The scheduler's view of a node with nothing placed on it. */
export function emptyNode(
  node: NodeRecord,
  { presence, cleaning = NONE, gpuClass }: NodeFacts,
): SnapshotNode {
  const capacity = { cpuMilli: node.inventory.cpu.cores * 1000, memoryMib: node.inventory.memoryMib };
  const reason = unschedulableReason(node, presence);
  const process = node.inventory.executors.find((executor) => executor.kind === 'process');
  return {
    id: node.id,
    name: node.name,
    schedulable: reason === undefined,
    ...(reason === undefined ? {} : { unschedulableReason: reason }),
    labels: { ...node.labels, ...node.givenLabels, [NODE_NAME_LABEL]: node.name },
    ...(node.taints?.length ? { taints: node.taints } : {}),
    capacity,
    free: capacity,
    gpus: snapshotGpus(node, cleaning),
    ...(gpuClass ? { gpuClass } : {}),
    executors: new Set(node.inventory.executors.filter(({ available }) => available).map(({ kind }) => kind)),
    sandboxed: process?.sandbox === 'bubblewrap',
  };
}

/** What an empty node has, less what its live attempts hold. */
export function snapshotNode(empty: SnapshotNode, live: readonly AttemptRecord[]): SnapshotNode {
  let { cpuMilli, memoryMib } = empty.capacity;
  const held = new Map<string, number>();
  for (const attempt of live) {
    cpuMilli -= attempt.cpuMilli;
    memoryMib -= attempt.memoryMib;
    const { devices, gpuMilli = WHOLE_GPU } = attempt;
    for (const device of devices) held.set(device, (held.get(device) ?? 0) + gpuMilli);
  }
  const gpus = empty.gpus.map((gpu) => {
    const milli = held.get(gpu.id);
    return milli === undefined ? gpu : withFree(gpu, Math.max(0, gpu.freeMilli - milli));
  });
  return { ...empty, free: { cpuMilli, memoryMib }, gpus, empty };
}

function snapshotGpus(node: NodeRecord, cleaning: ReadonlySet<string>): readonly SnapshotGpu[] {
  const { inventory } = node;
  const sliced = new Set(inventory.gpus.flatMap((gpu) => gpu.parentId ?? []));
  const instances = inventory.gpus.filter((gpu) => gpu.parentId !== undefined);
  return [...maskGpus(inventory), ...instances].map((gpu) => ({
    id: gpu.id,
    model: gpu.model,
    memoryMib: gpu.memoryMib,
    ...numaFacts(node, gpu),
    ...instanceFacts(gpu),
    // With MIG switched on nothing runs on the GPU itself, also while it has no instances.
    ...(sliced.has(gpu.id) || gpu.migEnabled === true ? { isCut: true as const } : {}),
    freeMilli: cleaning.has(gpu.id) ? 0 : WHOLE_GPU,
    usable: !isOutOfUse(conditionOf(node, gpu)) && !sliced.has(gpu.id) && gpu.migEnabled !== true,
    ...outOfUse(node, gpu),
  }));
}

/** Where there is only one NUMA node all GPUs are on it, also those that do not say so. */
function numaFacts(
  { inventory: { cpu } }: NodeRecord,
  { numaNode = cpu.numaNodes === 1 ? 0 : undefined }: NodeRecord['inventory']['gpus'][number],
): Pick<SnapshotGpu, 'numaNode'> {
  return numaNode === undefined ? {} : { numaNode };
}

function instanceFacts({
  migProfile,
  model,
}: NodeRecord['inventory']['gpus'][number]): Pick<SnapshotGpu, 'migProfile' | 'migMilli'> {
  return migProfile === undefined ? {} : { migProfile, migMilli: migPart(migProfile, model) };
}

function outOfUse(
  node: NodeRecord,
  gpu: NodeRecord['inventory']['gpus'][number],
): Pick<SnapshotGpu, 'outOfUse' | 'outWith'> {
  const condition = node.gpuConditions && conditionOf(node, gpu);
  if (!condition || !isOutOfUse(condition)) return {};
  const released = toRelease(node, gpu);
  return {
    outOfUse: condition.state === 'probation' ? 'on probation' : condition.state,
    ...(released === gpu.id ? {} : { outWith: released }),
  };
}

function unschedulableReason(node: NodeRecord, presence: NodePresence | undefined): string | undefined {
  const connectivity = presence?.connectivity ?? 'disconnected';
  if (connectivity !== 'connected') return connectivity;
  if (presence?.reconciled !== true) return 'reconnecting';
  return node.eligibility === 'schedulable' ? undefined : node.eligibility;
}
