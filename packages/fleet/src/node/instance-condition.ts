import type { GpuDevice } from '@clawbernetes/protocol';
import type { NodeRecord } from '../records.ts';
import { isOutOfUse, movesWork, type GpuCondition } from './gpu-condition.ts';

type NodeGpus = Pick<NodeRecord, 'inventory' | 'gpuConditions'>;

/** A GPU or MIG instance as its node shows it, or as it was when it was last seen. */
export function deviceOf({ inventory, gpuConditions }: NodeGpus, id: string): GpuDevice | undefined {
  return inventory.gpus.find((gpu) => gpu.id === id) ?? gpuConditions?.[id]?.device;
}

/** `GPU 3`; of a MIG instance both: `MIG instance 0 (1g.10gb) of GPU 3`. */
export function gpuName(
  node: NodeGpus,
  { index, parentId, migProfile }: Pick<GpuDevice, 'index' | 'parentId' | 'migProfile'>,
): string {
  if (parentId === undefined) return `GPU ${index}`;
  const profile = migProfile === undefined ? '' : ` (${migProfile})`;
  return `MIG instance ${index}${profile} of GPU ${deviceOf(node, parentId)?.index ?? parentId}`;
}

/**
 * Why a GPU is out of use, or that it was released. What is wrong with a GPU is wrong with its MIG instances;
 * of one that has a fault of its own besides, the graver counts.
 */
export function conditionOf(
  node: NodeGpus,
  { id, parentId }: Pick<GpuDevice, 'id' | 'parentId'>,
): GpuCondition | undefined {
  const own = node.gpuConditions?.[id];
  const parent = parentId === undefined ? undefined : node.gpuConditions?.[parentId];
  if (!parent || !isOutOfUse(parent) || (own && isOutOfUse(own) && gravity(own) >= gravity(parent)))
    return own;
  const { device, ...rest } = parent;
  const index = deviceOf(node, parentId ?? '')?.index ?? device?.index ?? parentId;
  return { ...rest, message: `Its GPU ${index} is ${shown(parent)}: ${parent.message}` };
}

/** The id of what a person has to release, so that it may be used again. */
export function toRelease(node: NodeGpus, gpu: Pick<GpuDevice, 'id' | 'parentId'>): string {
  const isOwn = conditionOf(node, gpu) === node.gpuConditions?.[gpu.id];
  return isOwn ? gpu.id : (gpu.parentId ?? gpu.id);
}

function gravity(condition: GpuCondition): number {
  if (movesWork(condition)) return 2;
  return condition.state === 'probation' ? 0 : 1;
}

function shown({ state }: GpuCondition): string {
  return state === 'probation' ? 'on probation' : state;
}
