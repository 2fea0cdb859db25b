import { WHOLE_GPU } from './cluster/demand.ts';
import { inOnePart, partsOf, type NodePart } from './gpu-parts.ts';
import type { Shape } from './resources.ts';
import type { SnapshotGpu, SnapshotNode } from './snapshot.ts';
import { bitsOf, MAX_MASK_GPUS } from './topology/gpu-mask.ts';
import type { MaskTable, NvlinkRule } from './topology/mask-table.ts';

/** Thousandths that a shape takes of each of its GPUs. */
export function milliOf({ gpuMilli = WHOLE_GPU }: Shape): number {
  return gpuMilli;
}

/** MiB that come with the shape's part of a GPU: a share has its part of the memory, too. */
export function memoryOf({ memoryMib }: Pick<SnapshotGpu, 'memoryMib'>, shape: Shape): number {
  return shape.gpuMilli === undefined ? memoryMib : Math.floor((memoryMib * shape.gpuMilli) / WHOLE_GPU);
}

/** Thousandths of a GPU that a device counts as in sums: one that MIG cuts up counts by its instances. */
export function countedMilli({ isCut, migMilli = WHOLE_GPU }: SnapshotGpu): number {
  return isCut ? 0 : migMilli;
}

export function withFree(gpu: SnapshotGpu, freeMilli: number): SnapshotGpu {
  return { ...gpu, freeMilli };
}

/** Before a model that is asked for by its whole name: that may be a part of the name of another. */
export const WHOLE_NAME = '=';

/** Whether the GPU could be given to the shape if nobody held it. */
export function suits(gpu: SnapshotGpu, shape: Shape): boolean {
  if (!gpu.usable || gpu.migProfile !== shape.migProfile) return false;
  if (memoryOf(gpu, shape) < shape.minGpuMemoryMib) return false;
  if (shape.gpuModels.length === 0) return true;
  const model = gpu.model.toLowerCase();
  return shape.gpuModels.some((wanted) =>
    wanted.startsWith(WHOLE_NAME) ? model === wanted.slice(WHOLE_NAME.length) : model.includes(wanted),
  );
}

/** GPUs as they are now, as if nobody held any, or those now that nobody holds a part of. */
export type Holding = 'now' | 'empty' | 'whole';

function isAble(gpu: SnapshotGpu, shape: Shape, holding: Holding): boolean {
  const least = holding === 'empty' ? 0 : holding === 'whole' ? WHOLE_GPU : milliOf(shape);
  return gpu.freeMilli >= least && suits(gpu, shape);
}

export function ableGpus({ gpus }: SnapshotNode, shape: Shape, holding: Holding): number {
  let able = 0;
  for (const gpu of gpus) if (isAble(gpu, shape, holding)) able += 1;
  return able;
}

/** Whether the node has the GPUs that a shape asks for. */
export function hasGpus(node: SnapshotNode, shape: Shape, holding: Holding): boolean {
  if (shape.gpus === 0) return true;
  if (shape.within !== undefined) return largestPart(node, shape, holding) >= shape.gpus;
  if (ableGpus(node, shape, holding) < shape.gpus) return false;
  return shape.nvlink !== 'required' || ableLinked(node, shape, holding, shape.gpus);
}

/** Whether so many of its GPUs reach each other over NVLink. */
function ableLinked(node: SnapshotNode, shape: Shape, holding: Holding, count: number): boolean {
  const masks = node.gpuClass?.masks;
  return count < 2 || (masks?.best(ableMask(node, shape, holding), count, 'require') ?? 0) !== 0;
}

/** The most GPUs of the node for a shape that reach each other over NVLink. */
export function largestIsland(node: SnapshotNode, shape: Shape, holding: Holding): number {
  let count = Math.min(shape.gpus, ableGpus(node, shape, holding));
  while (count > 1 && !ableLinked(node, shape, holding, count)) count -= 1;
  return count;
}

/** The most GPUs of one part of the node for a shape that asks for one; over NVLink if it asks for that. */
export function largestPart(node: SnapshotNode, shape: Shape, holding: Holding): number {
  const alone = inOnePart(shape);
  let most = 0;
  for (const part of shape.within === undefined ? [] : partsOf(node, shape.within)) {
    const able =
      shape.nvlink === 'required'
        ? largestIsland(part.node, alone, holding)
        : Math.min(shape.gpus, ableGpus(part.node, alone, holding));
    most = Math.max(most, able);
  }
  return most;
}

function ableMask({ gpus, gpuClass }: SnapshotNode, shape: Shape, holding: Holding): number {
  let mask = 0;
  const size = Math.min(gpus.length, gpuClass?.gpuCount ?? 0, MAX_MASK_GPUS);
  for (let bit = 0; bit < size; bit += 1) {
    const gpu = gpus[bit];
    if (gpu && isAble(gpu, shape, holding)) mask |= 1 << bit;
  }
  return mask;
}

/** The table by which whole GPUs are chosen: not for MIG instances, nor where links are unknown. */
function masksFor({ gpuClass }: SnapshotNode, { migProfile }: Shape): MaskTable | undefined {
  return migProfile === undefined ? gpuClass?.masks : undefined;
}

function ruleOf({ nvlink }: Shape): NvlinkRule {
  return nvlink === 'required' ? 'require' : 'prefer';
}

/** Whether it could have GPUs here now that reach each other over NVLink, which it would prefer. */
export function isLinked(node: SnapshotNode, shape: Shape): boolean {
  return ableLinked(node, shape, 'now', shape.gpus);
}

/**
 * The GPUs to give to a shape that asks for some, or undefined if too few are free. Whole ones by their
 * links, then NUMA nodes, then so that few of those that belong together are parted; a share from a GPU that
 * has `from` thousandths free, by default the one with the least that suffices.
 */
export function chooseGpus(node: SnapshotNode, shape: Shape, from?: number): readonly string[] | undefined {
  if (shape.within !== undefined) {
    const part = tightestPart(node, shape, 1);
    return part && chooseGpus(part.node, inOnePart(shape), from);
  }
  if (shape.gpuMilli !== undefined && from !== WHOLE_GPU) {
    const gpu = chooseShared(node, shape, from);
    if (gpu?.freeMilli !== WHOLE_GPU) return gpu && [gpu.id];
  }
  if (!hasGpus(node, shape, 'now')) return undefined;
  const masks = masksFor(node, shape);
  if (!masks) return firstWhole(node, shape);
  const mask = bestMask(masks, ableMask(node, shape, 'whole'), shape);
  return bitsOf(mask).flatMap((bit) => node.gpus[bit]?.id ?? []);
}

/** Where not all choices leave room for as many, one of those that do: others of the shape may follow. */
function bestMask(masks: MaskTable, free: number, { gpus: gpusEach, nvlink }: Shape): number {
  if (nvlink !== 'required') return masks.best(free, gpusEach, 'prefer');
  const members = masks.members(free, gpusEach, 'require');
  return masks.assign(free, { members, gpusEach, nvlink: 'require' })[0] ?? 0;
}

function firstWhole({ gpus }: SnapshotNode, shape: Shape): readonly string[] {
  const able = gpus.filter((gpu) => isAble(gpu, shape, 'whole'));
  return able.slice(0, shape.gpus).map(({ id }) => id);
}

function chooseShared({ gpus }: SnapshotNode, shape: Shape, from?: number): SnapshotGpu | undefined {
  const able = gpus.filter((gpu) => isAble(gpu, shape, 'now'));
  const exact = able.filter(({ freeMilli }) => freeMilli === from);
  return (exact.length > 0 ? exact : able).reduce<SnapshotGpu | undefined>(
    (least, gpu) => (least && least.freeMilli <= gpu.freeMilli ? least : gpu),
    undefined,
  );
}

/** Free thousandths of GPUs from which a shape could take its share, each number once, the least first. */
export function sharesFor({ gpus }: SnapshotNode, shape: Shape): readonly number[] {
  const shares = new Set<number>();
  for (const gpu of gpus) if (isAble(gpu, shape, 'now')) shares.add(gpu.freeMilli);
  return [...shares].toSorted((left, right) => left - right);
}

/** How often the GPUs that a shape asks for can be given at the same time; it asks for some. */
export function membersOfGpus(node: SnapshotNode, shape: Shape): number {
  if (shape.within !== undefined) return mostInPart(node, shape);
  if (shape.gpuMilli !== undefined) return sharesIn(node, shape);
  const masks = masksFor(node, shape);
  if (masks) return masks.members(ableMask(node, shape, 'now'), shape.gpus, ruleOf(shape));
  if (shape.nvlink === 'required' && shape.gpus > 1) return 0;
  return Math.floor(ableGpus(node, shape, 'now') / shape.gpus);
}

function mostInPart(node: SnapshotNode, shape: Shape): number {
  const alone = inOnePart(shape);
  let most = 0;
  for (const part of shape.within === undefined ? [] : partsOf(node, shape.within))
    most = Math.max(most, membersOfGpus(part.node, alone));
  return most;
}

/** Of the parts of a node with GPUs for so many members the first of those with the fewest to spare. */
export function tightestPart(
  node: SnapshotNode,
  shape: Shape,
  members: number,
): (NodePart & { readonly spare: number }) | undefined {
  const alone = inOnePart(shape);
  let best: (NodePart & { readonly spare: number }) | undefined;
  for (const part of shape.within === undefined ? [] : partsOf(node, shape.within)) {
    const spare = membersOfGpus(part.node, alone) - members;
    if (spare >= 0 && spare < (best?.spare ?? Infinity)) best = { ...part, spare };
  }
  return best;
}

/**
 * Whole GPUs for each of so many members at the same time, as many as `membersOfGpus` counts at most: one
 * after the other they could part an island that a later one needs.
 */
export function gpusForMembers(
  node: SnapshotNode,
  shape: Shape,
  members: number,
): readonly (readonly string[])[] {
  const masks = masksFor(node, shape);
  if (!masks) {
    const able = firstWhole(node, { ...shape, gpus: shape.gpus * members });
    return Array.from({ length: members }, (_, member) =>
      able.slice(member * shape.gpus, (member + 1) * shape.gpus),
    );
  }
  const request = { members, gpusEach: shape.gpus, nvlink: ruleOf(shape) };
  const assigned = masks.assign(ableMask(node, shape, 'now'), request);
  return assigned.map((mask) => bitsOf(mask).flatMap((bit) => node.gpus[bit]?.id ?? []));
}

function sharesIn({ gpus }: SnapshotNode, shape: Shape): number {
  const milli = milliOf(shape);
  let members = 0;
  for (const gpu of gpus) if (suits(gpu, shape)) members += Math.floor(gpu.freeMilli / milli);
  return members;
}
