import { present } from '@clawbernetes/kernel';
import { LedgerMachine } from '@clawbernetes/ledger';
import { expect } from 'vitest';
import { decodeFrame } from '../../src/journal/frame.ts';
import { OrderMachine } from '../../src/orders/order-machine.ts';
import { orderResultName } from '../../src/orders/order-result.ts';
import { readOrder } from '../../src/orders/order.ts';
import type { TimedOrder } from '../orders/timed-orders.ts';

/** What a process has said: the order from which it went on, and the code of each that was answered. */
export interface Said {
  readonly first: number;
  readonly codes: ReadonlyMap<number, number>;
}

/**
 * Does again what processes were asked for, in memory: each from its first order on, as far as the journal
 * says that it came, at the times that the orders have. Nothing else is believed of the journal.
 */
export class OrderModel {
  readonly machine = new LedgerMachine({ seed: 11 });
  readonly orders = new OrderMachine(this.machine);
  /** What each order was answered when it came first. */
  readonly #done = new Map<number, string>();
  readonly #known: readonly TimedOrder[];
  #journal: readonly Uint8Array[];

  constructor(known: readonly TimedOrder[], bodies: readonly Uint8Array[]) {
    this.#known = known;
    this.#journal = bodies.flatMap((body, index) =>
      decodeFrame(body, index + 1).operations.map(({ items }) => items),
    );
  }

  /** Goes on with the next process; `next` is where the one after it began. */
  follow({ first, codes }: Said, next: number): void {
    for (let index = first; ; index += 1) {
      // What was answered must be there. What was not may be, unless the process after this did it.
      const mustBe = codes.has(index);
      if (!mustBe && !this.#isHere(index, next)) return;
      const code = this.#do(index);
      if (mustBe) expect([index, orderResultName(codes.get(index) ?? -1)]).toEqual([index, code]);
    }
  }

  /** Nothing is in the journal that nobody asked for. */
  expectAll(): void {
    expect(this.#journal).toHaveLength(0);
    expect(this.#done.size).toBe(this.#known.length);
  }

  #isHere(index: number, next: number): boolean {
    const [here, order] = [this.#journal[0], this.#known[index]];
    if (here === undefined || order === undefined || Buffer.compare(here, order.bytes) !== 0) return false;
    // Orders are all different, so if this comes again it comes from the process after this.
    return index < next || this.#journal.slice(1).some((items) => Buffer.compare(items, order.bytes) === 0);
  }

  #do(index: number): string {
    const { bytes, timeMs } = present(this.#known[index], 'an order');
    const [here, ...rest] = this.#journal;
    expect(Buffer.compare(present(here, `order ${index} in the journal`), bytes)).toBe(0);
    this.#journal = rest;
    this.machine.advance(Math.max(this.machine.timeMs, timeMs));
    const code = present(orderResultName(this.orders.applyBytes(bytes, this.machine.timeMs)), 'a result');
    const before = this.#done.get(index);
    if (before === undefined) this.#done.set(index, code);
    // Receipts may be settled as often as anybody likes: nothing more is paid.
    if (before === 'ok' && readOrder(bytes).type !== 'agreement-settle') expect(code).not.toBe('ok');
    return code;
  }
}
