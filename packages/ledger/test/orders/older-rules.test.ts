// Shows that frames of before a limit are booked without it, as they were answered then.
import { orderResultName, type OrderType } from '@clawbernetes/orders';
import { expect, test } from 'vitest';
import { MOLT, type Json } from '@clawbernetes/kernel';
import { encodeOrder } from '../../src/orders/order.ts';
import { address, molt, OrderWorld, type Name } from './order-world.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const FIRST_RULES = 1;
const reason = 'x';

class OldWorld {
  readonly at: OrderWorld;

  constructor(settings = {}) {
    this.at = new OrderWorld({ settings });
    this.at.fundParties();
  }

  wait(ms: number): void {
    this.at.timeMs += ms;
    this.at.machine.advance(this.at.timeMs, FIRST_RULES);
    this.at.orders.advance(this.at.timeMs, FIRST_RULES);
  }

  does(type: OrderType, body: Json, ...signers: readonly Name[]): string | undefined {
    this.wait(0);
    const signatures = signers.map((name) => this.at.sign(name, type, body));
    return orderResultName(
      this.at.orders.applyBytes(encodeOrder({ type, body, signatures }), this.at.timeMs),
    );
  }
}

test('stake that a buyer gets is his at once', () => {
  const old = new OldWorld();
  const { at } = old;
  const escrow = at.funded({ slashable: molt(50) });
  expect(old.does('escrow-dispute', { escrow, reason }, 'buyer')).toBe('ok');
  const split = { escrow, toBuyer: molt(100), toProvider: '0', slash: molt(50), slashTo: 'buyer' };
  expect(old.does('escrow-resolve', split, 'one', 'two')).toBe('ok');
  expect(at.balance('available', 'buyer')).toBe(1050n * MOLT);
});

test('each dispute of a lease slashes up to the limit', () => {
  const old = new OldWorld();
  const { at } = old;
  const agreement = at.leased({ slashable: molt(20) });
  const escrow = at.orders.agreement(agreement)?.escrow ?? '';
  for (const n of [1, 2]) {
    old.wait(60_000);
    expect(at.settle(at.receipt(agreement, n, n * 60_000))).toBe('ok');
    expect(old.does('escrow-dispute', { escrow, reason }, 'buyer')).toBe('ok');
    const toBuyer = String(at.orders.escrow(escrow)?.dispute?.amount);
    const split = { escrow, toBuyer, toProvider: '0', slash: molt(20) };
    expect(old.does('escrow-resolve', split, 'one', 'two')).toBe('ok');
  }
  expect(at.balance('treasury')).toBe(40n * MOLT);
});

test('leases are topped up by as little as the buyer says', () => {
  const old = new OldWorld();
  const { at } = old;
  const agreement = at.leased({ amount: '1' });
  const limit = { agreement, each: '1', total: '100', untilMs: at.timeMs + DAY_MS };
  expect(old.does('agreement-auto-top-up', limit, 'buyer')).toBe('ok');
  old.wait(10);
  expect(at.orders.agreement(agreement)?.topUp?.used).toBe(2n);
  // Under the newer rules it is no more.
  at.wait(10);
  expect(at.orders.agreement(agreement)?.topUp?.used).toBe(2n);
});

test('withdrawals on their way, and escrows that waited in vain, are any number', () => {
  const old = new OldWorld();
  const { at } = old;
  for (let count = 0; count <= 100; count += 1) {
    const body = { withdrawal: at.id(), amount: '1', to: address('other'), speed: 'normal' };
    expect(old.does('withdraw', body, 'buyer')).toBe('ok');
  }
  for (let count = 0; count < 100; count += 1)
    expect(old.does('escrow-create', at.terms({ amount: '1' }), 'buyer')).toBe('ok');
  const [first] = [...at.orders.escrows()];
  old.wait(HOUR_MS);
  expect(old.does('escrow-create', at.terms(), 'buyer')).toBe('ok');
  old.wait(7 * DAY_MS - 1);
  expect(at.orders.escrow(first?.id ?? '')?.state).toBe('expired');
  old.wait(1);
  expect(at.orders.escrow(first?.id ?? '')).toBeUndefined();
});

test('payments are as small as the buyer says, until the ledger is full of them', () => {
  const old = new OldWorld({ minEscrow: molt(1), maxOpen: 5 });
  const escrow = old.at.funded({ amount: molt(1) });
  const pay = (): string | undefined => old.does('escrow-release', { escrow, amount: '1' }, 'buyer');
  for (let payment = 0; payment < 5; payment += 1) expect(pay()).toBe('ok');
  expect(pay()).toBe('ledger-full');
});

test('withdrawals that have ended take room until they are forgotten', () => {
  const old = new OldWorld({ maxOpen: 2 });
  const withdraw = (): string | undefined => {
    const body = { withdrawal: old.at.id(), amount: '1', to: address('other'), speed: 'normal' };
    return old.does('withdraw', body, 'buyer');
  };
  for (const count of [1, 2]) {
    expect(withdraw()).toBe('ok');
    const withdrawal = [...old.at.orders.withdrawals()][count - 1]?.id ?? '';
    expect(old.does('withdrawal-report', { withdrawal, status: 'failed' }, 'operator')).toBe('ok');
  }
  expect(withdraw()).toBe('ledger-full');
  old.wait(7 * DAY_MS);
  expect(withdraw()).toBe('ok');
});

test('escrows that are over take room until they are forgotten', () => {
  const old = new OldWorld({ maxOpen: 2 });
  const create = (): string | undefined => old.does('escrow-create', old.at.terms(), 'buyer');
  for (const escrow of [old.at.funded(), old.at.funded()])
    expect(old.does('escrow-refund', { escrow }, 'provider')).toBe('ok');
  expect(create()).toBe('ledger-full');
  old.wait(7 * DAY_MS - 1);
  expect(create()).toBe('ledger-full');
  old.wait(1);
  expect(create()).toBe('ok');
});

test('next to nothing stays in an escrow, and is held for a day', () => {
  const old = new OldWorld({ minEscrow: molt(1), maxOpen: 2 });
  const [first, second] = [old.at.funded({ amount: molt(1) }), old.at.funded({ amount: molt(1) })];
  const rest = String(MOLT - 1n);
  expect(old.does('escrow-release', { escrow: first, amount: rest }, 'buyer')).toBe('ok');
  expect(old.does('escrow-release', { escrow: second, amount: '1' }, 'buyer')).toBe('ok');
  expect(old.does('escrow-refund', { escrow: second }, 'provider')).toBe('ok');
  old.wait(DAY_MS - 1);
  expect(old.at.orders.claims(second)).toHaveLength(1);
  // Under the newer rules it is no more, once the rest is through.
  expect(old.does('escrow-create', old.at.terms(), 'buyer')).toBe('ledger-full');
  old.wait(1);
  expect(old.at.orders.claims(second)).toEqual([]);
});

test('a reference is booked as often as operators say', () => {
  const old = new OldWorld();
  const book = (): string | undefined => {
    const body = { deposit: old.at.id(), owner: address('buyer'), amount: '5', reference: 'tx-1' };
    return old.does('deposit', body, 'operator');
  };
  expect([book(), book()]).toEqual(['ok', 'ok']);
  // Under the newer rules it is known as long as one of them is.
  old.wait(7 * DAY_MS - 1);
  expect(book()).toBe('ok');
  old.wait(1);
  const body = { deposit: old.at.id(), owner: address('buyer'), amount: '5', reference: 'tx-1' };
  expect(old.at.do('deposit', body, ['operator'])).toBe('reference-used');
});
