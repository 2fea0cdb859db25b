/**
 * What one turn may do at most, in looks: a node or a group of nodes held against a shape, about 1 µs each.
 * They are counted and not timed, so that a fleet does the same on every machine.
 */
export class WorkBudget {
  #left: number;

  constructor(looks: number) {
    this.#left = looks;
  }

  get isSpent(): boolean {
    return this.#left <= 0;
  }

  spend(looks: number): void {
    this.#left -= looks;
  }
}
