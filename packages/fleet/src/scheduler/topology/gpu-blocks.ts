import type { GpuGraph } from './gpu-graph.ts';
import { fullMask } from './gpu-mask.ts';
import { linkScore, subsetLinks, type GpuBlocks } from './subset-score.ts';

/**
 * Pairs, fours and eights of GPUs that belong together: each size is made by joining blocks of the size
 * below, best links first, then the lowest GPUs. Where all links are equal and NUMA nodes hold runs of GPUs,
 * these are the aligned blocks {0,1}, {0..3}, {0..7}; where bridges join GPU 0 with 3, they are the pair.
 */
export function gpuBlocks(graph: GpuGraph): GpuBlocks {
  const pairs = joinPairwise(
    graph,
    Array.from({ length: graph.size }, (_, gpu) => 1 << gpu),
  );
  const fours = joinPairwise(graph, pairs);
  return { pairs, fours, eights: joinPairwise(graph, fours) };
}

/** The eights, and one smaller island of what belongs to none. At most 8 GPUs each, every GPU in one. */
export function gpuIslands({ size }: GpuGraph, { eights }: GpuBlocks): readonly number[] {
  const rest = eights.reduce((left, eight) => left & ~eight, fullMask(size));
  return rest === 0 ? eights : [...eights, rest];
}

/** Greedy matching; one block stays alone if their number is odd. At most 32 blocks come in. */
function joinPairwise(graph: GpuGraph, blocks: readonly number[]): readonly number[] {
  let open = blocks;
  const joined: number[] = [];
  while (open.length > 1) {
    const best = bestPair(graph, open);
    open = open.filter((block) => (block & best) === 0);
    joined.push(best);
  }
  return joined;
}

function bestPair(graph: GpuGraph, open: readonly number[]): number {
  let best = 0;
  let bestScore = -1;
  for (const [at, one] of open.entries()) {
    for (const other of open.slice(at + 1)) {
      const score = linkScore(subsetLinks(graph, one | other));
      if (score <= bestScore) continue;
      best = one | other;
      bestScore = score;
    }
  }
  return best;
}
