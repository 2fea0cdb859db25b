// Shows that what bounds one party bounds him after a restart too: a replay would answer otherwise, and stop.
import { expect, test } from 'vitest';
import { LedgerMachine } from '../../src/index.ts';
import { OrderMachine } from '../../src/orders/order-machine.ts';
import { address, molt, OrderWorld, type Change } from './order-world.ts';

const HOUR_MS = 3_600_000;

function restart(at: OrderWorld): void {
  const ids = [...at.machine.ids.entries()].map((entry) => entry.slice());
  const machine = new LedgerMachine({ seed: 5 });
  machine.restore(at.machine.snapshot(), ids);
  const orders = new OrderMachine(machine);
  orders.restore(at.orders.snapshot().bytes());
  at.machine = machine;
  at.orders = orders;
}

function world(settings = {}): OrderWorld {
  const at = new OrderWorld({ settings });
  at.fundParties();
  return at;
}

test('escrows that wait for funds, or waited in vain', () => {
  const at = world();
  const create = (): string => at.do('escrow-create', at.terms(), ['buyer']);
  for (let count = 0; count < 100; count += 1) at.created({ amount: '1' });
  restart(at);
  expect(create()).toBe('ledger-full');
  at.wait(HOUR_MS);
  restart(at);
  expect(create()).toBe('ledger-full');
});

test('withdrawals on their way', () => {
  const at = world();
  const withdraw = (): string => {
    const body = { withdrawal: at.id(), amount: '1', to: address('other'), speed: 'normal' };
    return at.do('withdraw', body, ['buyer']);
  };
  for (let count = 0; count < 100; count += 1) expect(withdraw()).toBe('ok');
  restart(at);
  expect(withdraw()).toBe('too-many-withdrawals');
});

test('withdrawals that have ended, in their order, and what was forgotten', () => {
  const at = world({ maxOpen: 2 });
  const bodies = [1, 2, 3].map(() => {
    at.wait(1);
    return { withdrawal: at.id(), amount: '1', to: address('other'), speed: 'normal' };
  });
  const end = (withdrawal = ''): string =>
    at.do('withdrawal-report', { withdrawal, status: 'failed' }, ['operator']);
  const withdraw = (): readonly string[] => bodies.map((body) => at.do('withdraw', body, ['buyer']));
  const [first, second, third] = bodies;
  for (const body of [second, first]) {
    expect(at.do('withdraw', body ?? {}, ['buyer'])).toBe('ok');
    expect(end(body?.withdrawal)).toBe('ok');
  }
  expect(at.do('withdraw', third ?? {}, ['buyer'])).toBe('ok');
  restart(at);
  expect(end(third?.withdrawal)).toBe('ok');
  expect([first, second].map((body) => at.orders.withdrawal(body?.withdrawal ?? '')?.state)).toEqual([
    'returned',
    undefined,
  ]);
  restart(at);
  expect(withdraw()).toEqual(['id-used', 'id-too-old', 'id-used']);
});

test('what the faucet gave, and who opened accounts', () => {
  const at = world({ faucetAmount: molt(1000), maxDailyOpenings: 1 });
  expect(at.do('account-open', {}, ['one'])).toBe('ok');
  restart(at);
  expect(at.do('faucet', { amount: '1' }, ['buyer'])).toBe('faucet-exhausted');
  expect(at.do('account-open', {}, ['two'])).toBe('too-many-openings');
});

test('signatures, deposits and what is due', () => {
  const at = world();
  const again: Change = { nonce: 900 };
  expect(at.do('stake-deposit', { amount: '1' }, ['buyer'], again)).toBe('ok');
  const deposit = { deposit: at.id(), owner: address('buyer'), amount: '1', reference: 'tx' };
  expect(at.do('deposit', deposit, ['operator'])).toBe('ok');
  const dueMs = at.orders.nextDueMs;
  restart(at);
  expect(at.do('stake-deposit', { amount: '2' }, ['buyer'], again)).toBe('nonce-replayed');
  expect(at.do('deposit', deposit, ['operator'])).toBe('id-used');
  expect(at.do('deposit', { ...deposit, deposit: at.id() }, ['operator'])).toBe('reference-used');
  expect(at.orders.nextDueMs).toBe(dueMs);
});

test('escrows that are over or wait for funds, in their order, and what was forgotten', () => {
  const at = world({ maxOpen: 3 });
  const [third, first, second] = [at.funded(), at.funded(), at.funded()];
  for (const escrow of [first, second, third])
    expect(at.do('escrow-refund', { escrow }, ['provider'])).toBe('ok');
  const waiting = [at.created(), at.created(), at.created()];
  restart(at);
  at.wait(1);
  const state = (escrow = ''): string | undefined => at.orders.escrow(escrow)?.state;
  at.created();
  expect(waiting.map(state)).toEqual(['expired', 'created', 'created']);
  expect([first, second, third].map(state)).toEqual([undefined, 'refunded', 'refunded']);
  restart(at);
  at.created();
  expect(waiting.map(state)).toEqual(['expired', 'expired', 'created']);
  expect([first, second, third].map(state)).toEqual([undefined, undefined, 'refunded']);
  restart(at);
  const create = (escrow: string): string => at.do('escrow-create', at.terms({ escrow }), ['buyer']);
  expect([create(first), create(second), create(third)]).toEqual(['id-too-old', 'id-too-old', 'id-used']);
  for (let count = 0; count < 3; count += 1) at.funded();
  restart(at);
  expect(create(at.id())).toBe('ledger-full');
});

test('payments that are held', () => {
  const at = world({ minEscrow: molt(1) });
  const escrow = at.funded();
  const pay = (): string => at.do('escrow-release', { escrow, amount: '1' }, ['buyer']);
  expect(pay()).toBe('ok');
  restart(at);
  expect(pay()).toBe('payments-too-small');
});
