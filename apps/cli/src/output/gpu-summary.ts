import type { NodeView } from '@clawbernetes/protocol';

/** `8× NVIDIA H100 (5 free, simulated)`; several models one after another; `none` without GPUs. */
export function gpuSummary(node: Pick<NodeView, 'gpus'>): string {
  const byModel = Map.groupBy(node.gpus, (gpu) => gpu.model);
  const groups = Array.from(byModel, ([model, gpus]) => {
    const free = gpus.filter((gpu) => gpu.state === 'free').length;
    const simulated = gpus.some((gpu) => gpu.simulated) ? ', simulated' : '';
    return `${gpus.length}× ${model} (${free === gpus.length ? 'all' : free} free${simulated})`;
  });
  return groups.join(', ') || 'none';
}
