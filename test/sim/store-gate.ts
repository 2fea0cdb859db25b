import type { RowChange, Store } from '@clawbernetes/storage';

/** Where the gateway may die around one commit. */
export const BOUNDARIES = ['before', 'during', 'after'] as const;
export type Boundary = (typeof BOUNDARIES)[number];

/** What hears of every batch of rows. */
export interface BatchListener {
  submitted(changes: readonly RowChange[]): { readonly durable: () => void };
}

/** Between the gateway and its store: sees every batch, and crashes the gateway around a chosen one. */
export class StoreGate {
  readonly #listener: BatchListener;
  readonly #crash: () => void;
  #armed: Boundary | undefined;
  #changes = 0;

  constructor(listener: BatchListener, crash: () => void) {
    this.#listener = listener;
    this.#crash = crash;
  }

  /** The next batch of this or a later gateway is its last. */
  arm(boundary: Boundary): void {
    this.#armed = boundary;
  }

  /** No longer. */
  disarm(): void {
    this.#armed = undefined;
  }

  /** Rises with each batch that is handed over, and when it is durable. */
  get changes(): number {
    return this.#changes;
  }

  guard(store: Store): Store {
    return {
      term: store.term,
      rows: store.rows,
      scan: (range, options) => store.scan(range, options),
      share: () => store.share(),
      stats: () => store.stats(),
      onFailed: (listener) => store.onFailed(listener),
      submit: (changes) => this.#submit(store, changes),
      [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
    };
  }

  async #submit(store: Store, changes: readonly RowChange[]): Promise<void> {
    const boundary = changes.length > 0 ? this.#armed : undefined;
    if (boundary !== undefined) this.#armed = undefined;
    const batch = this.#listener.submitted(changes);
    this.#changes += 1;
    if (boundary === 'before') return this.#dead();
    const storing = store.submit(changes);
    if (boundary === 'during') {
      storing.catch(() => undefined);
      // The disk has the batch under way once the store has handed it over.
      await Promise.resolve();
      return this.#dead();
    }
    await storing;
    batch.durable();
    this.#changes += 1;
    return boundary === 'after' ? this.#dead() : undefined;
  }

  /** A process that died gets no answer. */
  #dead(): Promise<never> {
    this.#crash();
    return new Promise(() => undefined);
  }
}
