import { present } from '@clawbernetes/kernel';
import { LedgerMachine } from '@clawbernetes/ledger';
import { orderResultName } from '@clawbernetes/orders';
import { expect } from 'vitest';
import { decodeFrame } from '../../src/journal/frame.ts';
import { OrderMachine } from '../../src/orders/order-machine.ts';
import { readOrder } from '../../src/orders/order.ts';
import type { TimedOrder } from '../orders/timed-orders.ts';
import { journalOf, type Book } from './open-book.ts';

/** What a process has said: the order from which it went on, and the code of each that was answered. */
export interface Said {
  readonly first: number;
  readonly codes: ReadonlyMap<number, number>;
}

/**
 * Does again what processes were asked for, in memory: each from its first order on, as far as the journal
 * says that it came, at the times that the orders have. Nothing else is believed of the journal.
 */
class OrderModel {
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

/** What a process has printed that began with the order `first`. */
export function saidBy(first: number, lines: readonly string[]): Said {
  const answers = lines.filter((line) => /^\d+ \d+$/.test(line)).map((line) => line.split(' ').map(Number));
  return { first, codes: new Map(answers.map(([index = -1, code = -1]) => [index, code])) };
}

/** Answers, orders and balances are those of the model, and whatever was done is not done again. */
export async function expectModel(
  book: Book,
  orders: readonly TimedOrder[],
  said: readonly Said[],
): Promise<void> {
  const model = new OrderModel(orders, await journalOf(book.store));
  for (const [at, one] of said.entries()) model.follow(one, said[at + 1]?.first ?? orders.length);
  model.expectAll();
  expect(model.orders.deviations()).toEqual([]);
  const [live, modelled] = [book.ledger.orders, model.orders].map((machine) =>
    Buffer.from(machine.snapshot().bytes()).toString(),
  );
  expect(live).toBe(modelled);
  for (const account of model.machine.accounts())
    expect(await book.ledger.account(account.id)).toEqual(account);
  await expectDoneOnce(book, orders, said);
}

async function expectDoneOnce(
  { ledger }: Book,
  orders: readonly TimedOrder[],
  said: readonly Said[],
): Promise<void> {
  const before = ledger.orders.snapshot().bytes();
  for (const [index, code] of said.flatMap(({ codes }) => [...codes])) {
    const { bytes } = present(orders[index], 'an order');
    if (code !== 0 || readOrder(bytes).type === 'agreement-settle') continue;
    const [again] = await ledger.submit({ kind: 'orders', items: bytes });
    expect(again).not.toBe(0);
  }
  expect(Buffer.compare(ledger.orders.snapshot().bytes(), before)).toBe(0);
}
