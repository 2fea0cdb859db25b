import { present } from '@clawbernetes/kernel';
import { LedgerMachine, readTransfer } from '@clawbernetes/ledger';
import type { AccountMovement } from '../../src/projection/movement.ts';
import { applyFrame } from '../../src/journal/apply-frame.ts';
import { decodeFrame } from '../../src/journal/frame.ts';
import { OrderMachine } from '../../src/orders/order-machine.ts';
import { EFFECT, type TransferOutcome } from '../../src/machine/transfer-outcome.ts';
import { effectName } from '../../src/projection/movement.ts';

type Balance = AccountMovement['after'];
const NOTHING: Balance = { debitsPending: 0n, debitsPosted: 0n, creditsPending: 0n, creditsPosted: 0n };

type Facts = Omit<AccountMovement, 'number' | 'sequence' | 'timeMs' | 'after'>;

/** The history as a list, made from the journal by the plainest means. */
export class NaiveHistory {
  readonly machine = new LedgerMachine({ seed: 7 });
  readonly orders = new OrderMachine(this.machine);
  /** By account, the earliest first. */
  readonly byAccount = new Map<bigint, AccountMovement[]>();
  readonly byReference = new Map<bigint, AccountMovement[]>();
  count = 0;
  #sequence = 0;
  #item = 0;
  #expiry = 0;
  /** What is reserved, by the id of the pending transfer. */
  readonly #pending = new Map<bigint, bigint>();

  constructor() {
    this.machine.watch({
      transfers: (bytes, outcome) => this.#transfers(bytes, outcome),
      expired: ({ id, debit, credit }) => {
        const released = this.#end(id);
        const accounts = { debitAccount: this.#id(debit), creditAccount: this.#id(credit) };
        const effect = 'expired' as const;
        this.#add({
          ...accounts,
          effect,
          item: this.#expiry++,
          amount: 0n,
          released,
          code: 0,
          reference: 0n,
        });
      },
    });
  }

  follow(bodies: readonly Uint8Array[]): void {
    for (const body of bodies.slice(this.#sequence)) {
      this.#sequence += 1;
      this.#item = 0;
      this.#expiry = 0;
      applyFrame(this.machine, decodeFrame(body, this.#sequence), this.orders);
    }
  }

  balance(account: bigint, beforeMs = Infinity): Balance {
    const earlier = (this.byAccount.get(account) ?? []).filter(({ timeMs }) => timeMs < beforeMs);
    return earlier.at(-1)?.after ?? NOTHING;
  }

  #transfers(bytes: Uint8Array, outcome: TransferOutcome): void {
    for (let at = 0; at < bytes.length / 80; at += 1) {
      const { id, pendingId, reference, code } = readTransfer(bytes, at);
      const item = this.#item++;
      const effect = outcome.effects[at] ?? EFFECT.none;
      if (effect === EFFECT.none) continue;
      const amount = present(outcome.amounts[at], 'an amount');
      if (effect === EFFECT.reserved) this.#pending.set(id, amount);
      const ends = effect === EFFECT.posted || effect === EFFECT.voided;
      this.#add({
        item,
        effect: effectName(effect),
        debitAccount: this.#id(outcome.debits[at] ?? -1),
        creditAccount: this.#id(outcome.credits[at] ?? -1),
        amount,
        released: ends ? this.#end(pendingId) : 0n,
        code,
        reference,
      });
    }
  }

  #add(facts: Facts): void {
    const { timeMs } = this.machine;
    const movement = { ...facts, number: this.count, sequence: this.#sequence, timeMs };
    this.count += 1;
    for (const account of [facts.debitAccount, facts.creditAccount]) {
      const list = this.byAccount.get(account) ?? [];
      const after = afterOf(list.at(-1)?.after ?? NOTHING, facts, account === facts.debitAccount);
      this.byAccount.set(account, [...list, { ...movement, after }]);
    }
    if (facts.reference === 0n) return;
    const list = this.byReference.get(facts.reference) ?? [];
    this.byReference.set(facts.reference, [...list, { ...movement, after: NOTHING }]);
  }

  #end(id: bigint): bigint {
    const amount = present(this.#pending.get(id), 'a pending transfer');
    this.#pending.delete(id);
    return amount;
  }

  #id(number: number): bigint {
    return present([...this.machine.accounts()][number], 'an account').id;
  }
}

function afterOf(before: Balance, { effect, amount, released }: Facts, isDebit: boolean): Balance {
  const pending = effect === 'reserved' ? amount : -released;
  const posted = effect === 'moved' || effect === 'posted' ? amount : 0n;
  return isDebit
    ? {
        ...before,
        debitsPending: before.debitsPending + pending,
        debitsPosted: before.debitsPosted + posted,
      }
    : {
        ...before,
        creditsPending: before.creditsPending + pending,
        creditsPosted: before.creditsPosted + posted,
      };
}
