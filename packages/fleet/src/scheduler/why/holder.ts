import { WHOLE_GPU } from '../cluster/demand.ts';
import { withFree } from '../gpu-fit.ts';
import type { SnapshotNode } from '../snapshot.ts';

/** A workload that holds a part of a node. */
export interface Holder {
  readonly workloadId: string;
  readonly name: string;
  readonly nodeId: string;
  readonly devices: readonly string[];
  /** Thousandths of each of them; absent = all. */
  readonly gpuMilli?: number;
  readonly cpuMilli: number;
  readonly memoryMib: number;
  /** When its time limit ends it; absent = it has none, or nobody knows when it began. */
  readonly endsAtMs?: number;
  /** Between the end of its time and the kill, ms. */
  readonly graceMs: number;
}

/** What it holds of the node that it is on. */
export type Held = Pick<Holder, 'nodeId' | 'devices' | 'gpuMilli' | 'cpuMilli' | 'memoryMib'>;

/** The node as it is once these have ended: what is reserved goes back to its reservation. */
export function withoutHolders(node: SnapshotNode, ended: readonly Held[]): SnapshotNode {
  const freed = new Map<string, number>();
  for (const { devices, gpuMilli = WHOLE_GPU } of ended)
    for (const id of devices) freed.set(id, (freed.get(id) ?? 0) + gpuMilli);
  const back = node.reserved ? ended.filter((holder) => !isOnReserved(node, holder)) : ended;
  const cpuMilli = back.reduce((sum, holder) => sum + holder.cpuMilli, node.free.cpuMilli);
  const memoryMib = back.reduce((sum, holder) => sum + holder.memoryMib, node.free.memoryMib);
  const gpus = node.gpus.map((gpu) => {
    const milli = freed.get(gpu.id);
    if (milli === undefined || gpu.isReserved) return gpu;
    return withFree(gpu, Math.min(WHOLE_GPU, gpu.freeMilli + milli));
  });
  const { reserved } = node;
  return {
    ...node,
    free: { cpuMilli, memoryMib },
    gpus,
    ...(reserved ? { reserved: { ...reserved, without: withoutHolders(reserved.without, ended) } } : {}),
  };
}

function isOnReserved({ reserved, gpus }: SnapshotNode, { devices }: Held): boolean {
  return reserved?.isWhole === true || gpus.some(({ id, isReserved }) => isReserved && devices.includes(id));
}
