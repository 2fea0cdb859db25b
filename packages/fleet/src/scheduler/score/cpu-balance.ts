import { gpuShare } from '../cluster/demand.ts';
import type { NodeState } from '../cluster/node-state.ts';
import type { KindCount, MixedKind } from './demand-mix.ts';

/** CPU for each GPU takes so many values; kinds with nearly the same are one. */
const STEPS = 32;

/** Kinds that ask for about as much CPU with each GPU. */
interface Step {
  /** Of the GPUs that all kinds ask for. */
  readonly share: number;
  /** Thousandths of a GPU that come with a thousandth of a CPU. */
  readonly gpuPerCpu: number;
}

/**
 * How much of the free GPUs of a node can be used with its free CPU: the mean over what asks for GPUs, each
 * with its own need of CPU. Without this, GPUs are left over that have no CPU, or CPU without GPUs.
 */
export class CpuBalance {
  readonly #steps: readonly Step[];

  constructor(mix: readonly KindCount<MixedKind>[]) {
    this.#steps = stepsOf(mix);
  }

  /** Thousandths of GPUs. */
  usable({ cpuMilli, gpus }: NodeState): number {
    let free = 0;
    for (const share of gpus) free += share;
    let usable = 0;
    for (const { share, gpuPerCpu } of this.#steps) usable += share * Math.min(free, cpuMilli * gpuPerCpu);
    return usable;
  }
}

function stepsOf(mix: readonly KindCount<MixedKind>[]): readonly Step[] {
  const needs = mix
    .map(({ kind: { demand }, count }) => ({ asked: gpuShare(demand) * count, cpu: demand.cpuMilli * count }))
    .toSorted((left, right) => left.cpu / left.asked - right.cpu / right.asked);
  const total = needs.reduce((sum, { asked }) => sum + asked, 0);
  const steps: Step[] = [];
  let [asked, cpu] = [0, 0];
  for (const [index, need] of needs.entries()) {
    asked += need.asked;
    cpu += need.cpu;
    if (asked < total / STEPS && index < needs.length - 1) continue;
    steps.push({ share: asked / total, gpuPerCpu: asked / Math.max(1, cpu) });
    [asked, cpu] = [0, 0];
  }
  return steps;
}
