import { MAX_BANDWIDTH, type GpuGraph } from './gpu-graph.ts';
import { bitsOf, countBits, lowestBit, MAX_MASK_GPUS } from './gpu-mask.ts';

/** What the links of a set of GPUs are worth. */
export interface SubsetLinks {
  /** GB/s per direction of its worst pair; above all bandwidths for a single GPU. */
  readonly bottleneck: number;
  /** Sum of GB/s over its pairs. */
  readonly total: number;
  readonly numaNodes: number;
}

/** GPUs that belong together, in the order of their worth: see `gpuBlocks`. */
export interface GpuBlocks {
  readonly eights: readonly number[];
  readonly fours: readonly number[];
  readonly pairs: readonly number[];
}

export function subsetLinks({ size, bandwidth, numa }: GpuGraph, subset: number): SubsetLinks {
  let bottleneck = MAX_BANDWIDTH + 1;
  let total = 0;
  const gpus = bitsOf(subset);
  for (const [at, a] of gpus.entries()) {
    for (let next = at + 1; next < gpus.length; next++) {
      const link = bandwidth[a * size + (gpus[next] ?? 0)] ?? 0;
      bottleneck = Math.min(bottleneck, link);
      total += link;
    }
  }
  return { bottleneck, total, numaNodes: new Set(gpus.map((gpu) => numa[gpu])).size };
}

/** Sizes of the fields below; together 2^53, so a score is one exact number. */
const TOTALS = 2 ** 22;
const NUMA_NODES = 2 ** 6;
const DAMAGES = 2 ** 12;

/** Bottleneck first, then total, then fewest NUMA nodes. Higher is better. */
export function linkScore({ bottleneck, total, numaNodes }: SubsetLinks): number {
  return (bottleneck * TOTALS + total) * NUMA_NODES + (MAX_MASK_GPUS - numaNodes);
}

/** A score of links, then the least damage. Higher is better. */
export function withDamage(score: number, damage: number): number {
  return score * DAMAGES + (DAMAGES - 1 - damage);
}

/**
 * Whole blocks that taking `subset` out of `free` would break: one eight is worse than any fours, one four
 * than any pairs. The rule of buddy allocation (Knowlton, CACM 8(10), 1965), which HiveD applies to cells of
 * GPUs (Zhao et al., OSDI 2020).
 */
export function blockDamage({ eights, fours, pairs }: GpuBlocks, free: number, subset: number): number {
  const broken = (blocks: readonly number[]): number => {
    let count = 0;
    for (const block of blocks) if ((block & free) === block && (block & subset) !== 0) count++;
    return count;
  };
  return broken(eights) * 512 + broken(fours) * 32 + broken(pairs);
}

/** Joined by NVLink among themselves: no pair needs PCIe, nor a GPU outside the subset. */
export function isIsland({ nvlink }: GpuGraph, subset: number): boolean {
  let reached = subset & -subset;
  for (let frontier = reached; frontier !== 0;) {
    const next = (nvlink[lowestBit(frontier)] ?? 0) & subset & ~reached;
    reached |= next;
    frontier = (frontier & (frontier - 1)) | next;
  }
  return countBits(reached) === countBits(subset);
}
