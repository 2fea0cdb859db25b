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

/** The node as it is once these have ended. */
export function withoutHolders(node: SnapshotNode, ended: readonly Holder[]): SnapshotNode {
  const freed = new Map<string, number>();
  for (const { devices, gpuMilli = WHOLE_GPU } of ended)
    for (const id of devices) freed.set(id, (freed.get(id) ?? 0) + gpuMilli);
  const cpuMilli = ended.reduce((sum, holder) => sum + holder.cpuMilli, node.free.cpuMilli);
  const memoryMib = ended.reduce((sum, holder) => sum + holder.memoryMib, node.free.memoryMib);
  const gpus = node.gpus.map((gpu) => {
    const milli = freed.get(gpu.id);
    return milli === undefined ? gpu : withFree(gpu, Math.min(WHOLE_GPU, gpu.freeMilli + milli));
  });
  return { ...node, free: { cpuMilli, memoryMib }, gpus };
}
