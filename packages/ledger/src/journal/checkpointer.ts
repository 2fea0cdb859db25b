import type { Clock, Logger } from '@clawbernetes/kernel';
import type { Store } from '@clawbernetes/storage';
import type { LedgerMachine } from '../machine/ledger-machine.ts';
import type { OrderMachine } from '../orders/order-machine.ts';
import type { OrderSnapshot } from '../orders/order-snapshot.ts';
import type { IdTable } from '../machine/id-table.ts';
import type { LedgerThreads } from '../service/ledger-threads.ts';
import { dropOldCheckpoints, writeParts } from './checkpoint.ts';
import { dropLeftovers } from './drop-leftovers.ts';
import type { IdArchive } from './id-archive.ts';
import { ENTRY_WORDS } from './id-run.ts';

export interface CheckpointerDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly threads: Pick<LedgerThreads, 'sortIds'>;
}

/**
 * Sets ids aside and stores the state from which the next replay begins, beside the work that goes on: only
 * the copy of the balances is taken in one go.
 */
export class Checkpointer implements AsyncDisposable {
  readonly #deps: CheckpointerDeps;
  readonly #machine: LedgerMachine;
  readonly #orders: OrderMachine;
  readonly #archive: IdArchive;
  #busy: Promise<void> | undefined;
  #isSwept = false;

  constructor(
    deps: CheckpointerDeps,
    {
      machine,
      orders,
      archive,
    }: { readonly machine: LedgerMachine; readonly orders: OrderMachine; readonly archive: IdArchive },
  ) {
    this.#deps = deps;
    this.#machine = machine;
    this.#orders = orders;
    this.#archive = archive;
  }

  get isBusy(): boolean {
    return this.#busy !== undefined;
  }

  /**
   * Of the state as it is now, after the frame `sequence`.
   * @param durable resolves once that frame is.
   */
  take(
    { sequence, hash }: { readonly sequence: number; readonly hash: Uint8Array },
    durable: Promise<void>,
  ): Promise<void> {
    const snapshot = this.#machine.snapshot();
    const aside = this.#machine.ids.setAside();
    const ids = held(this.#machine);
    const orders = this.#orders.snapshot();
    const state = { sequence, hash, snapshot, ids };
    this.#busy = this.#store(state, orders, aside, durable).finally(() => {
      this.#busy = undefined;
    });
    return this.#busy;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#busy?.catch(() => undefined);
  }

  async #store(
    checkpoint: Omit<Checkpoint, 'orders'>,
    orders: OrderSnapshot,
    aside: IdTable,
    durable: Promise<void>,
  ): Promise<void> {
    const { store, logger } = this.#deps;
    const { sequence } = checkpoint;
    const run = await this.#deps.threads.sortIds(aside.entries);
    await durable;
    if (run) await this.#archive.write(run, sequence);
    const row = await writeParts(store, { ...checkpoint, orders: await this.#written(orders) });
    await store.submit(run ? [this.#archive.runRow(run, sequence), row] : [row]);
    if (run) this.#archive.added(run, sequence);
    this.#machine.ids.archived();
    await dropOldCheckpoints(store, sequence);
    await this.#archive.dropBefore(checkpoint.snapshot.sinceMs);
    // Only a crash leaves some, so once is enough.
    if (!this.#isSwept) await dropLeftovers(store, sequence);
    this.#isSwept = true;
    logger.debug('The ledger has a new checkpoint', { sequence, ids: run?.count ?? 0 });
  }

  async #written(orders: OrderSnapshot): Promise<Uint8Array<ArrayBuffer>> {
    const pieces: Uint8Array[] = [];
    for (const piece of orders.pieces()) {
      pieces.push(piece);
      await this.#turn();
    }
    return new Uint8Array(Buffer.concat(pieces));
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => this.#deps.clock.after(0, resolve));
  }
}

/** Right after ids were set aside these are the pending ones. */
function held({ ids }: LedgerMachine): Uint32Array<ArrayBuffer> {
  const entries = new Uint32Array(ids.size * ENTRY_WORDS);
  let words = 0;
  for (const entry of ids.entries()) {
    entries.set(entry, words);
    words += ENTRY_WORDS;
  }
  return entries.subarray(0, words);
}

type Checkpoint = Parameters<typeof writeParts>[1];
