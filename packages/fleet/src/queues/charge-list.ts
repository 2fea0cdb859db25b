import type { Charge } from './queue-accounts.ts';

/** What live attempts counted at a moment. Two plain lists: much less work to copy than entries of a map. */
export class ChargeList implements Iterable<readonly [attemptId: string, charge: Charge]> {
  readonly #attemptIds: readonly string[];
  readonly #charges: readonly Charge[];

  constructor(attemptIds: readonly string[], charges: readonly Charge[]) {
    this.#attemptIds = attemptIds;
    this.#charges = charges;
  }

  *[Symbol.iterator](): Generator<readonly [attemptId: string, charge: Charge], void, undefined> {
    for (const [at, charge] of this.#charges.entries()) yield [this.#attemptIds[at] ?? '', charge];
  }
}
