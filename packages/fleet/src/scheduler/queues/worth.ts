import { amountOf, type Amounts, type Dimension } from './amounts.ts';

/**
 * What things are worth beside each other, in thousandths of an ordinary GPU (2500 = 2.5 of them). A
 * dimension of weight 0 is not shared out: limits hold for it, but no guarantees, fair shares or reclaims.
 */
export interface WorthWeights {
  /** By GPU class. */
  readonly gpu: ReadonlyMap<string, number>;
  /** For one GPU of any other class. */
  readonly otherGpu: number;
  /** For one CPU. */
  readonly cpu: number;
  /** For one GiB of memory. */
  readonly memoryGib: number;
}

export const DEFAULT_WORTH_WEIGHTS: WorthWeights = {
  gpu: new Map(),
  otherGpu: 1000,
  cpu: 0,
  memoryGib: 0,
};

/** The one scalar by which amounts are compared, in millionths of an ordinary GPU. */
export class Worth {
  readonly #weights: WorthWeights;

  constructor(weights: Partial<WorthWeights> = {}) {
    this.#weights = { ...DEFAULT_WORTH_WEIGHTS, ...weights };
  }

  /** Whole millionths; of memory, what is below one is dropped. */
  of(vector: Amounts): number {
    let worth = 0;
    for (const [dimension, amount] of vector) worth += this.#ofOne(dimension, amount);
    return worth;
  }

  /** Whether the dimension is shared out by guarantee and fair share. */
  governs(dimension: Dimension): boolean {
    return this.#weightOf(dimension) > 0;
  }

  /** The part of a vector that is shared out, without what it does not ask for. */
  governed(vector: Amounts): Amounts {
    const part = new Map<Dimension, number>();
    for (const [dimension, amount] of vector) {
      if (amount > 0 && this.governs(dimension)) part.set(dimension, amount);
    }
    return part;
  }

  /** Whether what is asked for stays within the room, together with what is used, wherever it is governed. */
  within(asked: Amounts, used: Amounts, room: Amounts): boolean {
    for (const [dimension, amount] of asked) {
      if (amount === 0 || !this.governs(dimension)) continue;
      if (amountOf(used, dimension) + amount > amountOf(room, dimension)) return false;
    }
    return true;
  }

  #ofOne(dimension: Dimension, amount: number): number {
    const weight = this.#weightOf(dimension);
    return dimension === 'memoryMib' ? Math.floor((amount * weight * 1000) / 1024) : amount * weight;
  }

  #weightOf(dimension: Dimension): number {
    if (dimension === 'cpuMilli') return this.#weights.cpu;
    if (dimension === 'memoryMib') return this.#weights.memoryGib;
    return this.#weights.gpu.get(dimension.slice('gpu:'.length)) ?? this.#weights.otherGpu;
  }
}
