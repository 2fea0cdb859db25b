import { withFree } from '../gpu-fit.ts';
import type { ReservedSpan, SnapshotGpu, SnapshotNode } from '../snapshot.ts';
import type { HeldCapacity } from './calendar-reservation.ts';

/** A part of a node that a reservation keeps from whoever looks. */
export interface Withheld {
  readonly reservation: ReservedSpan;
  /** For whoever looks, it may keep nothing from an earlier time on. */
  readonly endMs: number;
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
  const kept = mostAtOnce(withheld, live);
  const free = isWhole
    ? { cpuMilli: 0, memoryMib: 0 }
    : {
        cpuMilli: Math.max(0, node.free.cpuMilli - kept.cpuMilli),
        memoryMib: Math.max(0, node.free.memoryMib - kept.memoryMib),
      };
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

/** Reservations that follow each other hold the same CPU and memory, not twice as much. */
function mostAtOnce(withheld: readonly Withheld[], live: readonly Use[]): Omit<Use, 'devices'> {
  const needs = withheld.map(({ reservation: { startMs }, endMs, held }) => {
    const used = usedOf(held, live);
    const cpuMilli = Math.max(0, held.cpuMilli - used.cpuMilli);
    return { startMs, endMs, cpuMilli, memoryMib: Math.max(0, held.memoryMib - used.memoryMib) };
  });
  let [cpuMilli, memoryMib] = [0, 0];
  for (const { startMs: atMs } of needs) {
    const then = needs.filter(({ startMs, endMs }) => startMs <= atMs && atMs < endMs);
    cpuMilli = Math.max(cpuMilli, sum(then, 'cpuMilli'));
    memoryMib = Math.max(memoryMib, sum(then, 'memoryMib'));
  }
  return { cpuMilli, memoryMib };
}

function sum(needs: readonly Omit<Use, 'devices'>[], of: 'cpuMilli' | 'memoryMib'): number {
  return needs.reduce((total, need) => total + need[of], 0);
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
