import { DueQueue } from './due-queue.ts';

/** Ids in the order in which they came; any of them can leave. A Set would be slow once many have left it. */
export class Arrivals {
  readonly #queue = new DueQueue();
  #last = 0;

  get size(): number {
    return this.#queue.size;
  }

  /** Comes last, also where it was here before. */
  add(id: string): void {
    this.#last += 1;
    this.#queue.set(id, this.#last);
  }

  delete(id: string): void {
    this.#queue.delete(id);
  }

  takeFirst(): string | undefined {
    return this.#queue.take(Infinity);
  }
}
