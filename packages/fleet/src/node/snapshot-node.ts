import type { AttemptRecord, NodePresence, NodeRecord } from '../records.ts';
import { isOutOfUse, type GpuCondition } from './gpu-condition.ts';
import { NODE_NAME_LABEL, type SnapshotGpu, type SnapshotNode } from '../scheduler/snapshot.ts';

/** The scheduler's view of a node: what it has, less what its live attempts hold. */
export function snapshotNode(
  node: NodeRecord,
  presence: NodePresence | undefined,
  live: readonly AttemptRecord[],
): SnapshotNode {
  const held = new Set(live.flatMap((attempt) => attempt.devices));
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
    free: {
      cpuMilli: capacity.cpuMilli - live.reduce((sum, attempt) => sum + attempt.cpuMilli, 0),
      memoryMib: capacity.memoryMib - live.reduce((sum, attempt) => sum + attempt.memoryMib, 0),
    },
    gpus: snapshotGpus(node, held),
    executors: new Set(node.inventory.executors.filter(({ available }) => available).map(({ kind }) => kind)),
    sandboxed: process?.sandbox === 'bubblewrap',
  };
}

function snapshotGpus(
  { inventory, gpuConditions }: NodeRecord,
  held: ReadonlySet<string>,
): readonly SnapshotGpu[] {
  const sliced = new Set(inventory.gpus.flatMap((gpu) => gpu.parentId ?? []));
  return inventory.gpus.map((gpu) => ({
    id: gpu.id,
    model: gpu.model,
    memoryMib: gpu.memoryMib,
    ...(gpu.numaNode === undefined ? {} : { numaNode: gpu.numaNode }),
    free: !held.has(gpu.id),
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
