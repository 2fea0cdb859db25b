import type { AttemptRecord, NodePresence, NodeRecord } from '../records.ts';
import { isOutOfUse, type GpuCondition } from './gpu-condition.ts';
import { NODE_NAME_LABEL, type SnapshotGpu, type SnapshotNode } from '../scheduler/snapshot.ts';

/** The scheduler's view of a node with nothing placed on it. */
export function emptyNode(
  node: NodeRecord,
  presence: NodePresence | undefined,
  cleaning: ReadonlySet<string> = new Set(),
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
    executors: new Set(node.inventory.executors.filter(({ available }) => available).map(({ kind }) => kind)),
    sandboxed: process?.sandbox === 'bubblewrap',
  };
}

/** What an empty node has, less what its live attempts hold. */
export function snapshotNode(empty: SnapshotNode, live: readonly AttemptRecord[]): SnapshotNode {
  let { cpuMilli, memoryMib } = empty.capacity;
  const held = new Set<string>();
  for (const attempt of live) {
    cpuMilli -= attempt.cpuMilli;
    memoryMib -= attempt.memoryMib;
    for (const device of attempt.devices) held.add(device);
  }
  const gpus = empty.gpus.map((gpu) => (held.has(gpu.id) ? { ...gpu, free: false } : gpu));
  return { ...empty, free: { cpuMilli, memoryMib }, gpus, empty };
}

function snapshotGpus(
  { inventory, gpuConditions }: NodeRecord,
  cleaning: ReadonlySet<string>,
): readonly SnapshotGpu[] {
  const sliced = new Set(inventory.gpus.flatMap((gpu) => gpu.parentId ?? []));
  return inventory.gpus.map((gpu) => ({
    id: gpu.id,
    model: gpu.model,
    memoryMib: gpu.memoryMib,
    ...(gpu.numaNode === undefined ? {} : { numaNode: gpu.numaNode }),
    free: !cleaning.has(gpu.id),
    usable: !isOutOfUse(gpuConditions?.[gpu.id]) && !sliced.has(gpu.id),
    ...outOfUseReason(gpuConditions?.[gpu.id]),
  }));
}

function outOfUseReason(condition: GpuCondition | undefined): Pick<SnapshotGpu, 'outOfUse'> {
  if (!condition || !isOutOfUse(condition)) return {};
  return { outOfUse: condition.state === 'probation' ? 'on probation' : condition.state };
}

function unschedulableReason(node: NodeRecord, presence: NodePresence | undefined): string | undefined {
  const connectivity = presence?.connectivity ?? 'disconnected';
  if (connectivity !== 'connected') return connectivity;
  if (presence?.reconciled !== true) return 'reconnecting';
  return node.eligibility === 'schedulable' ? undefined : node.eligibility;
}
