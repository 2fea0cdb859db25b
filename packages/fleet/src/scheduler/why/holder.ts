import type { SnapshotNode } from '../snapshot.ts';

/** A workload that holds a part of a node. */
export interface Holder {
  readonly workloadId: string;
  readonly name: string;
  readonly nodeId: string;
  readonly devices: readonly string[];
  readonly cpuMilli: number;
  readonly memoryMib: number;
  /** When its time limit ends it; absent = it has none, or nobody knows when it began. */
  readonly endsAtMs?: number;
  /** Between the end of its time and the kill, ms. */
  readonly graceMs: number;
}

/** The node as it is once these have ended. */
export function withoutHolders(node: SnapshotNode, ended: readonly Holder[]): SnapshotNode {
  const devices = new Set(ended.flatMap((holder) => holder.devices));
  const cpuMilli = ended.reduce((sum, holder) => sum + holder.cpuMilli, node.free.cpuMilli);
  const memoryMib = ended.reduce((sum, holder) => sum + holder.memoryMib, node.free.memoryMib);
  const gpus = node.gpus.map((gpu) => (devices.has(gpu.id) ? { ...gpu, free: true } : gpu));
  return { ...node, free: { cpuMilli, memoryMib }, gpus };
}
