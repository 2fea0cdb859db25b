import { Cluster, gpuShare, type PackedKind } from '@clawbernetes/fleet/scheduler';
import type { Policy } from './policies.ts';
import type { TraceFleet } from './trace.ts';

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
export function replay(
  fleet: TraceFleet,
  arrivals: readonly PackedKind[],
  policyOf: (cluster: Cluster) => Policy,
): ReplayResult {
  const cluster = new Cluster();
  for (const node of fleet.nodes) cluster.add(node);
  const policy = policyOf(cluster);
  let [asked, placed, at100, dropped] = [0, 0, NaN, 0];
  const startMs = performance.now();
  for (const arrived of arrivals) {
    if (Number.isNaN(at100) && asked >= fleet.gpuMilli) at100 = placed;
    asked += gpuShare(arrived.demand);
    const given = policy(arrived);
    if (!given) {
      dropped += 1;
      continue;
    }
    cluster.give(given);
    placed += gpuShare(arrived.demand);
  }
  const seconds = (performance.now() - startMs) / 1000;
  const percent = (milli: number): number => (100 * milli) / fleet.gpuMilli;
  return {
    at100: percent(at100),
    atEnd: percent(placed),
    fragmentation: percent(unusable(cluster, arrivals)),
    dropped,
    seconds,
  };
}

/**
 * Free thousandths of GPUs that an arrival drawn at random cannot use, in expectation: the measure of
 * fragmentation of Weng et al., ATC'23.
 */
function unusable(cluster: Cluster, arrivals: readonly PackedKind[]): number {
  const counts = new Map<PackedKind, number>();
  for (const arrived of arrivals) counts.set(arrived, (counts.get(arrived) ?? 0) + 1);
  let sum = 0;
  for (const { state, nodes } of cluster.groups) {
    const free = state.gpus.reduce((all, share) => all + share, 0);
    for (const [{ demand, suits }, count] of counts) {
      const fits =
        suits(state.profile) && state.cpuMilli >= demand.cpuMilli && state.memoryMib >= demand.memoryMib;
      const usable = demand.gpus > 0 && fits ? usableShare(state.gpus, demand.gpuMilli, demand.gpus) : 0;
      sum += nodes.length * (count / arrivals.length) * (free - usable);
    }
  }
  return sum;
}

/** Free shares of GPUs on which the demand fits, if it fits at all. */
function usableShare(gpus: readonly number[], gpuMilli: number, wanted: number): number {
  const able = gpus.filter((share) => share >= gpuMilli);
  return able.length < wanted ? 0 : able.reduce((sum, share) => sum + share, 0);
}
