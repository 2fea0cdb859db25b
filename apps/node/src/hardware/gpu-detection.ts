import type { GpuDevice, NodeInventory } from '@clawbernetes/protocol';
import type { Clock } from '@clawbernetes/kernel';
import type { ProbeRunner } from './probe-runner.ts';
import type { PciCard } from './pci-cards.ts';

export type GpuLink = NodeInventory['gpuLinks'][number];
export type ProbeRecord = NodeInventory['probes'][number];

/** What one way of looking for GPUs has found, and how the looking went. */
export interface GpuDetection {
  readonly gpus: readonly GpuDevice[];
  readonly links: readonly GpuLink[];
  readonly probes: readonly ProbeRecord[];
}

export interface GpuDetectionDeps {
  readonly clock: Clock;
  readonly probes: ProbeRunner;
  /** Display controllers that the kernel sees. */
  readonly cards: readonly PciCard[];
}

/** Probe outcome and sentence, timed from `startedMs` on the monotonic clock. */
export function probeRecord(
  clock: Clock,
  startedMs: number,
  probe: Pick<ProbeRecord, 'name' | 'outcome' | 'detail'>,
): ProbeRecord {
  return { ...probe, durationMs: Math.max(0, Math.round(clock.monotonicMs() - startedMs)) };
}

export function countGpus(count: number): string {
  return count === 1 ? '1 GPU' : `${count} GPUs`;
}
