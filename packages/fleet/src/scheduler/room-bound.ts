import { WHOLE_GPU } from './cluster/demand.ts';
import { milliOf } from './gpu-fit.ts';
import type { Shape } from './resources.ts';
import type { SnapshotNode } from './snapshot.ts';

const BOUNDS = new WeakMap<SnapshotNode, RoomBound>();

/**
 * The most that one of some nodes has free, by numbers: a shape that asks for more has no place on any of
 * them. Whether one that does not has one, only a look tells.
 */
export class RoomBound {
  #cpuMilli = -1;
  #memoryMib = -1;
  #wholeGpus = 0;
  #shareMilli = 0;
  /** MIG instances, by profile. */
  readonly #instances = new Map<string, number>();

  constructor(nodes: Iterable<SnapshotNode>) {
    for (const node of nodes) if (node.schedulable) this.#add(node);
  }

  /** That of one node; a view of a node is never changed. */
  static of(node: SnapshotNode): RoomBound {
    const known = BOUNDS.get(node) ?? new RoomBound([node]);
    BOUNDS.set(node, known);
    return known;
  }

  mayTake(shape: Shape): boolean {
    return shape.cpuMilli <= this.#cpuMilli && shape.memoryMib <= this.#memoryMib && this.mayGiveGpus(shape);
  }

  mayGiveGpus(shape: Pick<Shape, 'gpus' | 'gpuMilli' | 'migProfile'>): boolean {
    const { gpus, gpuMilli, migProfile } = shape;
    if (migProfile !== undefined) return gpus <= (this.#instances.get(migProfile) ?? 0);
    return gpuMilli === undefined ? gpus <= this.#wholeGpus : gpuMilli <= this.#shareMilli;
  }

  #add({ free, gpus }: SnapshotNode): void {
    this.#cpuMilli = Math.max(this.#cpuMilli, free.cpuMilli);
    this.#memoryMib = Math.max(this.#memoryMib, free.memoryMib);
    let whole = 0;
    const instances = new Map<string, number>();
    for (const { usable, freeMilli, migProfile } of gpus) {
      if (!usable) continue;
      const isWhole = freeMilli >= WHOLE_GPU;
      if (migProfile === undefined) {
        this.#shareMilli = Math.max(this.#shareMilli, freeMilli);
        if (isWhole) whole += 1;
      } else if (isWhole) instances.set(migProfile, (instances.get(migProfile) ?? 0) + 1);
    }
    this.#wholeGpus = Math.max(this.#wholeGpus, whole);
    for (const [profile, count] of instances)
      this.#instances.set(profile, Math.max(count, this.#instances.get(profile) ?? 0));
  }
}

/** Equal for shapes that ask for the same of GPUs, by numbers. */
export function gpusAsked(shape: Shape): string {
  return `${shape.gpus} ${milliOf(shape)} ${shape.migProfile ?? ''}`;
}
