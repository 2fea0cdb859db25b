import type { Dimension } from './amounts.ts';

/** Of all GPUs whatever their model. No model is called so. */
export const EVERY_GPU: Dimension = 'gpu:*';
/** Of models that no queue speaks of. */
export const OTHER_GPUS: Dimension = 'gpu:-';

/** Models that queues tell apart: each is a part of a device's model, and the longest one counts. */
export class GpuClasses {
  readonly #names: readonly string[];
  readonly #known = new Map<string, Dimension>();

  /** @param names lower-case. */
  constructor(names: Iterable<string>) {
    this.#names = [...new Set(names)].toSorted((one, other) => other.length - one.length);
  }

  /** Whether GPUs of all models are alike to every queue. */
  get isOne(): boolean {
    return this.#names.length === 0;
  }

  of(model: string): Dimension {
    const known = this.#known.get(model);
    if (known !== undefined) return known;
    const lower = model.toLowerCase();
    const name = this.#names.find((one) => lower.includes(one));
    const dimension: Dimension = name === undefined ? OTHER_GPUS : `gpu:${name}`;
    this.#known.set(model, dimension);
    return dimension;
  }
}
