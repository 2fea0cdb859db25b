import { deepStrictEqual } from 'node:assert';
import { u32, u64 } from '../machine/cells.ts';
import type { Expiry, LedgerMachine } from '../machine/ledger-machine.ts';
import { EFFECT } from '../machine/transfer-outcome.ts';
import type { Transfer } from '../machine/transfer-record.ts';

/** Sums of one account: pending and posted debits, pending and posted credits. */
type Sums = [bigint, bigint, bigint, bigint];

/** Balances made of nothing but what the machine says that it did, as whoever keeps the history would. */
export class OutcomeMirror {
  readonly #sums: Sums[] = [];
  readonly #pending = new Map<bigint, bigint>();

  /** Takes the outcome of the batch that the machine has just done. */
  note({ outcome }: LedgerMachine, transfers: readonly Transfer[]): void {
    for (const [item, { id, pendingId }] of transfers.entries()) {
      const amount = u64(outcome.amounts, item);
      const [reserved, posted] = this.#changes(outcome.effects[item] ?? EFFECT.none, id, pendingId, amount);
      this.#add(u32(outcome.debits, item), 0, reserved, posted);
      this.#add(u32(outcome.credits, item), 2, reserved, posted);
    }
  }

  expire({ id, debit, credit, amount }: Expiry): void {
    deepStrictEqual(amount, this.#take(id));
    this.#add(debit, 0, -amount, 0n);
    this.#add(credit, 2, -amount, 0n);
  }

  compare(machine: LedgerMachine): void {
    for (const [number, view] of [...machine.accounts()].entries()) {
      const { debitsPending, debitsPosted, creditsPending, creditsPosted } = view;
      const seen = this.#sums[number] ?? [0n, 0n, 0n, 0n];
      deepStrictEqual(seen, [debitsPending, debitsPosted, creditsPending, creditsPosted]);
    }
  }

  /** What an effect adds to the pending and to the posted sums of both sides. */
  #changes(effect: number, id: bigint, pendingId: bigint, amount: bigint): [bigint, bigint] {
    switch (effect) {
      case EFFECT.moved:
        return [0n, amount];
      case EFFECT.reserved:
        this.#pending.set(id, amount);
        return [amount, 0n];
      case EFFECT.posted:
        return [-this.#take(pendingId), amount];
      case EFFECT.voided:
        return [-this.#take(pendingId), 0n];
      default:
        return [0n, 0n];
    }
  }

  #take(id: bigint): bigint {
    const amount = this.#pending.get(id);
    if (amount === undefined) throw new RangeError(`${id} ended without being pending.`);
    this.#pending.delete(id);
    return amount;
  }

  #add(account: number, side: 0 | 2, reserved: bigint, posted: bigint): void {
    if (reserved === 0n && posted === 0n) return;
    const sums = (this.#sums[account] ??= [0n, 0n, 0n, 0n]);
    sums[side] += reserved;
    sums[side + 1] = (sums[side + 1] ?? 0n) + posted;
  }
}
