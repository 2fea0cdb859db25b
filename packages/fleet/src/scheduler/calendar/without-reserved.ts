import { withFree } from '../gpu-fit.ts';
import type { ReservedSpan, SnapshotGpu, SnapshotNode } from '../snapshot.ts';
import type { HeldCapacity } from './calendar-reservation.ts';

/** A part of a node that a reservation keeps from whoever looks. */
export interface Withheld {
  readonly reservation: ReservedSpan;
  readonly held: HeldCapacity;
}

/** What runs on the node. */
interface Use {
  readonly devices: readonly string[];
  readonly cpuMilli: number;
  readonly memoryMib: number;
}

/**
 * The node less what is withheld there. The CPU and memory that a reservation holds are used up by whatever
 * runs on its GPUs; only the rest is taken from what is free.
 */
export function withoutReserved(
  node: SnapshotNode,
  withheld: readonly Withheld[],
  live: readonly Use[],
  nowMs: number,
): SnapshotNode {
  if (withheld.length === 0) return node;
  const isWhole = withheld.some(({ held }) => held.devices === undefined);
  const devices = new Set(withheld.flatMap(({ held }) => held.devices ?? []));
  let { cpuMilli, memoryMib } = node.free;
  for (const { held } of withheld) {
    const used = usedOf(held, live);
    cpuMilli -= Math.max(0, held.cpuMilli - used.cpuMilli);
    memoryMib -= Math.max(0, held.memoryMib - used.memoryMib);
  }
  const free = isWhole
    ? { cpuMilli: 0, memoryMib: 0 }
    : { cpuMilli: Math.max(0, cpuMilli), memoryMib: Math.max(0, memoryMib) };
  return {
    ...node,
    isMasked: true,
    free,
    gpus: node.gpus.map((gpu) => (isWhole || devices.has(gpu.id) ? reservedGpu(gpu) : gpu)),
    reserved: { by: withheld.map(({ reservation }) => reservation), isWhole, atMs: nowMs, without: node },
  };
}

function reservedGpu(gpu: SnapshotGpu): SnapshotGpu {
  return { ...withFree(gpu, 0), isReserved: true };
}

function usedOf({ devices = [] }: HeldCapacity, live: readonly Use[]): Omit<Use, 'devices'> {
  const held = new Set(devices);
  let [cpuMilli, memoryMib] = [0, 0];
  for (const use of live) {
    if (!use.devices.some((id) => held.has(id))) continue;
    cpuMilli += use.cpuMilli;
    memoryMib += use.memoryMib;
  }
  return { cpuMilli, memoryMib };
}
