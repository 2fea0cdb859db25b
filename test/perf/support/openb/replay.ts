import { gpuShare } from '@clawbernetes/fleet/scheduler';
import type { Policy } from './policies.ts';
import type { PodKind, TraceFleet } from './trace.ts';

export interface ReplayResult {
  /** Of all GPUs, percent: given away when the arrivals have asked for 100 %, and at the end. */
  readonly at100: number;
  readonly atEnd: number;
  /** GPUs that are free and that the mix of arrivals could not use for the most part, percent of all. */
  readonly fragmentation: number;
  readonly dropped: number;
  readonly seconds: number;
}

/** Places what arrives one by one, at once or never; nothing moves. */
export function replay(fleet: TraceFleet, arrivals: readonly PodKind[], policy: Policy): ReplayResult {
  let [asked, placed, at100, dropped] = [0, 0, NaN, 0];
  const startMs = performance.now();
  for (const arrived of arrivals) {
    if (Number.isNaN(at100) && asked >= fleet.gpuMilli) at100 = placed;
    asked += gpuShare(arrived.demand);
    if (policy.place(arrived)) placed += gpuShare(arrived.demand);
    else dropped += 1;
  }
  const seconds = (performance.now() - startMs) / 1000;
  const percent = (milli: number): number => (100 * milli) / fleet.gpuMilli;
  return {
    at100: percent(at100),
    atEnd: percent(placed),
    fragmentation: percent(unusable(policy, arrivals)),
    dropped,
    seconds,
  };
}

/**
 * Free thousandths of GPUs that an arrival drawn at random cannot use, in expectation: the measure of
 * fragmentation of Weng et al., ATC'23.
 */
function unusable(policy: Policy, arrivals: readonly PodKind[]): number {
  const counts = new Map<PodKind, number>();
  for (const arrived of arrivals) counts.set(arrived, (counts.get(arrived) ?? 0) + 1);
  let sum = 0;
  for (const { model, cpuMilli, memoryMib, gpus, nodes } of policy.left()) {
    const free = gpus.reduce((all, share) => all + share, 0);
    if (free === 0) continue;
    for (const [{ demand, models }, count] of counts) {
      const isModel = models.size === 0 || models.has(model);
      const fits = isModel && cpuMilli >= demand.cpuMilli && memoryMib >= demand.memoryMib;
      const usable = demand.gpus > 0 && fits ? usableShare(gpus, demand.gpuMilli, demand.gpus) : 0;
      sum += nodes * (count / arrivals.length) * (free - usable);
    }
  }
  return sum;
}

/** Free shares of GPUs on which the demand fits, if it fits at all. */
function usableShare(gpus: readonly number[], gpuMilli: number, wanted: number): number {
  const able = gpus.filter((share) => share >= gpuMilli);
  return able.length < wanted ? 0 : able.reduce((sum, share) => sum + share, 0);
}
