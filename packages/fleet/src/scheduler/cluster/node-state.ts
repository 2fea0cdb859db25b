import { WHOLE_GPU, type Demand } from './demand.ts';

/**
 * What is free on a node, whichever node it is: nodes of one profile and state are alike to whoever packs.
 * The GPUs are in descending order; which of them they are is the node's own affair.
 */
export interface NodeState {
  /** Number of what does not change while work comes and goes: model, labels, taints. */
  readonly profile: number;
  readonly cpuMilli: number;
  readonly memoryMib: number;
  /** Thousandths that are free of each GPU, the most first. */
  readonly gpus: readonly number[];
}

/** GPUs of which nothing is given away. */
export function wholeGpus({ gpus }: NodeState): number {
  let whole = 0;
  while (whole < gpus.length && gpus[whole] === WHOLE_GPU) whole += 1;
  return whole;
}

/** Whether the demand fits now, whatever the profile says. */
export function hasRoom(state: NodeState, { cpuMilli, memoryMib, gpus, gpuMilli }: Demand): boolean {
  if (state.cpuMilli < cpuMilli || state.memoryMib < memoryMib) return false;
  return gpus === 0 || (state.gpus[gpus - 1] ?? 0) >= gpuMilli;
}

/**
 * What is left when the demand is met, its share from a GPU with `from` thousandths free; whole GPUs are the
 * first ones.
 */
export function afterDemand(state: NodeState, demand: Demand, from: number): NodeState {
  const cpuMilli = state.cpuMilli - demand.cpuMilli;
  const memoryMib = state.memoryMib - demand.memoryMib;
  return { ...state, cpuMilli, memoryMib, gpus: gpusAfter(state.gpus, demand, from) };
}

function gpusAfter(free: readonly number[], { gpus, gpuMilli }: Demand, from: number): readonly number[] {
  if (gpus === 0) return free;
  if (gpuMilli === WHOLE_GPU) return [...free.slice(gpus), ...free.slice(0, gpus).map(() => 0)];
  const at = free.indexOf(from);
  const rest = free.toSpliced(at, 1);
  const left = from - gpuMilli;
  const to = rest.findIndex((share) => share < left);
  return rest.toSpliced(to < 0 ? rest.length : to, 0, left);
}

/** Equal for equal states. */
export function stateKey({ profile, cpuMilli, memoryMib, gpus }: NodeState): string {
  return `${profile} ${cpuMilli} ${memoryMib} ${gpus.join(' ')}`;
}
