import { WHOLE_GPU } from '../cluster/demand.ts';
import type { Shape } from '../resources.ts';
import type { QueuedShape } from './queue-plan-order.ts';

/** What all that waits in a queue and may get the same kinds of GPUs asks for together. */
export interface WaitingAmounts {
  readonly queue: string;
  /** Lower-case parts of the names of the models that it may get; empty = any. */
  readonly gpuModels: readonly string[];
  /** All of it asks for instances of this profile. */
  readonly migProfile?: string;
  readonly cpuMilli: number;
  readonly memoryMib: number;
  /** Of MIG instances those of the instances, each of which is 1000. */
  readonly gpuMilli: number;
  /** Workloads. */
  readonly count: number;
}

type Sums = { -readonly [Name in keyof WaitingAmounts]: WaitingAmounts[Name] };

/** What waits, in sums: kept up with each workload, so that nobody has to add up a long queue. */
export class WaitingDemand {
  readonly #sums = new Map<string, Sums>();

  /** @param sign −1 takes back what was added. */
  add(queue: string, shape: Shape, sign: 1 | -1, workloads = 1): void {
    const { gpus, gpuMilli = WHOLE_GPU, cpuMilli, memoryMib, gpuModels, migProfile, gang } = shape;
    const models = gpus > 0 ? gpuModels : [];
    const profile = gpus > 0 && migProfile !== undefined ? ` mig ${migProfile}` : '';
    const key = `${queue} ${gpus > 0 ? models.join('|') : 'none'}${profile}`;
    const sum = this.#sums.get(key) ?? newSums(queue, models, profile === '' ? undefined : migProfile);
    const count = sign * workloads;
    const members = count * (gang?.members.max ?? 1);
    sum.count += count;
    sum.cpuMilli += members * cpuMilli;
    sum.memoryMib += members * memoryMib;
    sum.gpuMilli += members * gpus * gpuMilli;
    if (sum.count > 0) this.#sums.set(key, sum);
    else this.#sums.delete(key);
  }

  all(): Iterable<WaitingAmounts> {
    return this.#sums.values();
  }

  /** As it is now. */
  copy(): readonly WaitingAmounts[] {
    return Array.from(this.#sums.values(), (sum) => ({ ...sum }));
  }

  /** Workloads that wait in a queue without children. */
  waitingIn(queue: string): number {
    return this.#sums.values().reduce((sum, one) => sum + (one.queue === queue ? one.count : 0), 0);
  }
}

function newSums(queue: string, gpuModels: readonly string[], migProfile: string | undefined): Sums {
  const kind = migProfile === undefined ? { queue, gpuModels } : { queue, gpuModels, migProfile };
  return { ...kind, cpuMilli: 0, memoryMib: 0, gpuMilli: 0, count: 0 };
}

/** Of what is told shape by shape. */
export function demandOfShapes(waiting: readonly QueuedShape[]): Iterable<WaitingAmounts> {
  const demand = new WaitingDemand();
  for (const { queue, shape, waiting: count } of waiting) demand.add(queue, shape, 1, count);
  return demand.all();
}
