/** What a workload, or one member of a gang, asks of one node. */
export interface Demand {
  readonly cpuMilli: number;
  readonly memoryMib: number;
  /** GPUs of one node. */
  readonly gpus: number;
  /** Of each of them, in thousandths: 1000, or less of a single one that is shared. 0 without GPUs. */
  readonly gpuMilli: number;
}

/** A GPU in thousandths. */
export const WHOLE_GPU = 1000;

/** Thousandths of GPUs in all. */
export function gpuShare({ gpus, gpuMilli }: Demand): number {
  return gpus * gpuMilli;
}

/** @throws RangeError for what no node could mean. */
export function checkDemand(demand: Demand): Demand {
  const { cpuMilli, memoryMib, gpus, gpuMilli } = demand;
  const counts = [cpuMilli, memoryMib, gpus, gpuMilli];
  const isWhole = counts.every((count) => Number.isSafeInteger(count) && count >= 0);
  const isShare = gpus === 1 && gpuMilli > 0 && gpuMilli < WHOLE_GPU;
  const isMany = gpus > 0 && gpuMilli === WHOLE_GPU;
  if (isWhole && (isShare || isMany || (gpus === 0 && gpuMilli === 0))) return demand;
  throw new RangeError(
    `${gpus} GPUs of ${gpuMilli} thousandths each are no demand: share one, or take whole ones.`,
  );
}
