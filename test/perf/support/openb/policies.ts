import type { Random } from '@clawbernetes/kernel';
import {
  gpuShare,
  hasRoom,
  PackingScorer,
  PlaceFinder,
  WHOLE_GPU,
  type Cluster,
  type Given,
  type PackedKind,
} from '@clawbernetes/fleet/scheduler';

/** Chooses a place for what arrives, or none. */
export type Policy = (arrived: PackedKind) => Given | undefined;

/** That of the product: the very scorer that places workloads. */
export function packing(cluster: Cluster): Policy {
  const scorer = new PackingScorer<PackedKind>();
  const places = new PlaceFinder(cluster, scorer);
  return (arrived) => {
    scorer.arrived(arrived);
    return places.find(arrived)?.given;
  };
}

/** Any node that has room, and any of its GPUs. */
export function random(cluster: Cluster, nodes: number, source: Random): Policy {
  const any = (count: number): number => Math.floor(source.fraction() * count);
  return (arrived) => {
    const able = ableNodes(cluster, nodes, arrived);
    const node = able[any(able.length)];
    if (node === undefined) return undefined;
    const shares = sharesFor(cluster, node, arrived);
    return givenOn(cluster, node, arrived, shares[any(shares.length)] ?? 0);
  };
}

/** Largest node of the trace, by which what is left over is measured. */
const MOST_CPU_MILLI = 128_000;
const MOST_GPU_MILLI = 8000;

/**
 * The node on which the least is left over, CPU and GPU counting alike, in whole percent and by the lowest
 * name between equals; the share from the GPU with the least free. As in the simulator of Weng et al.,
 * ATC'23.
 */
export function bestFit(cluster: Cluster, nodes: number): Policy {
  return (arrived) => {
    let [best, highest] = [-1, -Infinity];
    for (const node of ableNodes(cluster, nodes, arrived)) {
      const { cpuMilli, gpus } = cluster.state(node);
      const gpu = gpus.reduce((sum, share) => sum + share, 0) - gpuShare(arrived.demand);
      const left = (cpuMilli - arrived.demand.cpuMilli) / MOST_CPU_MILLI + gpu / MOST_GPU_MILLI;
      const score = Math.floor(100 * (1 - left / 2));
      if (score > highest) [best, highest] = [node, score];
    }
    if (best < 0) return undefined;
    return givenOn(cluster, best, arrived, Math.min(...sharesFor(cluster, best, arrived)));
  };
}

function ableNodes(cluster: Cluster, nodes: number, { demand, suits }: PackedKind): readonly number[] {
  const able: number[] = [];
  for (let node = 0; node < nodes; node += 1) {
    const state = cluster.state(node);
    if (hasRoom(state, demand) && suits(state.profile)) able.push(node);
  }
  return able;
}

function sharesFor(cluster: Cluster, node: number, { demand }: PackedKind): readonly number[] {
  return cluster.free(node).filter((share) => share >= demand.gpuMilli);
}

function givenOn(cluster: Cluster, node: number, { demand }: PackedKind, share: number): Given {
  const from = demand.gpuMilli === WHOLE_GPU ? WHOLE_GPU : share;
  return { node, demand, gpus: cluster.pick(node, demand, from) };
}
