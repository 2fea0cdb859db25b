import type { NodeView } from '@clawbernetes/protocol';
import { gpuName } from './gpu-line.ts';

/** `8× NVIDIA H100 (5 free, simulated)`; several models one after another; `none` without GPUs. */
export function gpuSummary(node: Pick<NodeView, 'gpus'>): string {
  const parents = new Set(node.gpus.flatMap((gpu) => gpu.parentId ?? []));
  const usable = node.gpus.filter((gpu) => !parents.has(gpu.id) && gpu.migEnabled !== true);
  const byModel = Map.groupBy(usable, gpuName);
  const groups = Array.from(byModel, ([model, gpus]) => {
    const free = gpus.filter((gpu) => gpu.state === 'free').length;
    const shared = gpus.filter((gpu) => gpu.shares).length;
    const parts = shared > 0 ? `, ${shared} shared` : '';
    const simulated = gpus.some((gpu) => gpu.simulated) ? ', simulated' : '';
    return `${gpus.length}× ${model} (${free === gpus.length ? 'all' : free} free${parts}${simulated})`;
  });
  return groups.join(', ') || 'none';
}
