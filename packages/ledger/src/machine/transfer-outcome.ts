import { MAX_BATCH_ITEMS } from './transfer-record.ts';

/** What a transfer did to balances; stored in the journal's projection, so numbers keep their meaning. */
export const EFFECT = { none: 0, moved: 1, reserved: 2, posted: 3, voided: 4, expired: 5 } as const;

/**
 * What each item of the batch at hand did, by column: to undo a chain that fails in its middle, and for
 * whoever keeps the history.
 */
export class TransferOutcome {
  readonly effects = new Uint8Array(MAX_BATCH_ITEMS);
  readonly debits = new Uint32Array(MAX_BATCH_ITEMS);
  readonly credits = new Uint32Array(MAX_BATCH_ITEMS);
  /** What moved, was reserved, or was posted. */
  readonly amounts = new BigUint64Array(MAX_BATCH_ITEMS);
  /** What a post or void freed of its pending transfer: all that was reserved; of nothing else. */
  readonly released = new BigUint64Array(MAX_BATCH_ITEMS);
  /** Of a pending transfer, also once it is completed. */
  readonly slots = new Uint32Array(MAX_BATCH_ITEMS);

  set(item: number, effect: number, debit: number, credit: number, amount: bigint): void {
    this.effects[item] = effect;
    this.debits[item] = debit;
    this.credits[item] = credit;
    this.amounts[item] = amount;
  }
}
