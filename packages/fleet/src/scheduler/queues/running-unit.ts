import type { Amounts } from './amounts.ts';
import { compareText } from './workload-order.ts';
import type { Worth } from './worth.ts';

/**
 * The least that can be evicted: a whole gang at its minimal size, or one member beyond that of an elastic
 * one.
 */
export interface RunningUnit {
  readonly id: string;
  readonly workloadId: string;
  /** Once the core is gone, the surplus of the same workload goes as well. */
  readonly part: 'core' | 'surplus';
  readonly queue: string;
  readonly priority: number;
  readonly preemptible: boolean;
  readonly amounts: Amounts;
  readonly startedMs: number;
  /** It runs at least so long, where its queue says so. */
  readonly minRuntimeMs?: number;
  /** Work before it is not lost. */
  readonly checkpointMs?: number;
  /** What starting again costs, in GPU-hours: loading, warming up. 0 unless told. */
  readonly restartGpuHours?: number;
  /** How often its workload has been preempted. */
  readonly preemptions: number;
  readonly lastPreemptedMs?: number;
  /** On what grounds it was started in place of other queues' work. */
  readonly reclaims?: readonly Reclaim[];
}

/** The order between two queues, where their paths meet, that justified a reclaim. */
export interface Reclaim {
  /** The queue whose side lost work. */
  readonly from: string;
  /** As they were then, of the side that lost and the side that won. */
  readonly before: { readonly theirs: Standing; readonly ours: Standing };
}

/** What a queue was entitled to, and what it wanted. */
export interface Standing {
  readonly share: Amounts;
  readonly demand: Amounts;
}

const HOUR_MS = 3_600_000;
const GPU_WORTH = 1_000_000;

/**
 * What evicting it throws away: hours of ordinary GPUs since its last checkpoint or start, and its restart.
 */
export function evictionGpuHours(unit: RunningUnit, worth: Worth, nowMs: number): number {
  const sinceMs = Math.max(unit.startedMs, unit.checkpointMs ?? unit.startedMs);
  const lostHours = Math.max(0, nowMs - sinceMs) / HOUR_MS;
  return (worth.of(unit.amounts) / GPU_WORTH) * lostHours + (unit.restartGpuHours ?? 0);
}

/**
 * Which work of a queue counts first as its own: what cannot be preempted, higher priority, the cores of
 * gangs before what elastic ones have grown to, older before younger.
 */
export function compareRank(one: RunningUnit, other: RunningUnit): number {
  return (
    Number(one.preemptible) - Number(other.preemptible) ||
    other.priority - one.priority ||
    Number(one.part === 'surplus') - Number(other.part === 'surplus') ||
    one.startedMs - other.startedMs ||
    compareText(one.id, other.id)
  );
}
