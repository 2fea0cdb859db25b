// Shows that withdrawals, deposits and the faucet move tokens in and out once, and only as reported.
import { describe, expect, test } from 'vitest';
import { MOLT, type Json } from '@clawbernetes/kernel';
import { MOVEMENT_KINDS } from '../../src/orders/movement-kinds.ts';
import { readTransfer } from '../../src/index.ts';
import { address, molt, OrderWorld, type Name } from './order-world.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

type Body = Record<string, Json> & { readonly withdrawal: string };

function request(at: OrderWorld, change: Record<string, Json> = {}): Body {
  return { withdrawal: at.id(), amount: molt(10), to: address('other'), speed: 'normal', ...change };
}

function world(stake = 0): OrderWorld {
  const at = new OrderWorld();
  at.give('buyer', 100);
  if (stake > 0) at.stake('buyer', stake);
  return at;
}

describe('a withdrawal', () => {
  test('is never sent with a batch that leaves as it comes', () => {
    const at = world();
    expect(at.timeMs % HOUR_MS).toBe(0);
    const body = request(at);
    expect(at.do('withdraw', body, ['buyer'])).toBe('ok');
    expect(at.orders.withdrawal(body.withdrawal)?.sendAtMs).toBe(at.timeMs + HOUR_MS);
  });

  test('is one of a hundred that an owner has on their way, so that dust keeps nobody from his', () => {
    const at = world();
    const bodies = Array.from({ length: 101 }, () => request(at, { amount: '1' }));
    const codes = bodies.map((body) => at.do('withdraw', body, ['buyer']));
    expect(new Set(codes.slice(0, 100))).toEqual(new Set(['ok']));
    expect(codes[100]).toBe('too-many-withdrawals');
    const [first] = bodies;
    for (const status of ['sent', 'failed'])
      expect(at.do('withdrawal-report', { withdrawal: first?.withdrawal ?? '', status }, ['operator'])).toBe(
        'ok',
      );
    expect(at.do('withdraw', request(at), ['buyer'])).toBe('ok');
    expect(at.do('withdraw', request(at), ['buyer'])).toBe('too-many-withdrawals');
  });

  test('takes no room once it has ended, and its id is refused when it is forgotten early', () => {
    const at = new OrderWorld({ settings: { maxOpen: 2 } });
    at.give('buyer', 100);
    const ended = ['failed', 'confirmed', 'confirmed', 'failed'].map((status) => {
      at.wait(1);
      const body = request(at);
      expect(at.do('withdraw', body, ['buyer'])).toBe('ok');
      for (const next of ['sent', status])
        expect(at.do('withdrawal-report', { withdrawal: body.withdrawal, status: next }, ['operator'])).toBe(
          'ok',
        );
      return body;
    });
    expect([...at.orders.withdrawals()].map(({ id }) => id)).toEqual(
      ended.slice(2).map(({ withdrawal }) => withdrawal),
    );
    const again = ended.map((body) => at.do('withdraw', body, ['buyer']));
    expect(again).toEqual(['id-too-old', 'id-too-old', 'id-used', 'id-used']);
    // Escrows have times of their own.
    const created = at.terms({ escrow: at.id(at.timeMs - 3), amount: molt(5) });
    expect(at.do('escrow-create', created, ['buyer'])).toBe('ok');
    const codes = [1, 2, 3].map(() => at.do('withdraw', request(at), ['buyer']));
    expect(codes).toEqual(['ok', 'ok', 'ledger-full']);
    at.wait(7 * DAY_MS);
    expect([...at.orders.withdrawals()]).toHaveLength(2);
  });

  test('of next to nothing waits for those before it, and then leaves', () => {
    const at = new OrderWorld({ settings: { minEscrow: molt(1) } });
    at.give('buyer', 100);
    const first = request(at, { amount: '1' });
    const withdraw = (amount: string): string => at.do('withdraw', request(at, { amount }), ['buyer']);
    expect(at.do('withdraw', first, ['buyer'])).toBe('ok');
    expect([withdraw(String(MOLT - 1n)), withdraw(molt(1))]).toEqual(['amount-too-small', 'ok']);
    for (const { id: withdrawal } of [...at.orders.withdrawals()])
      expect(at.do('withdrawal-report', { withdrawal, status: 'failed' }, ['operator'])).toBe('ok');
    expect(withdraw('1')).toBe('ok');
  });

  test('leaves the balance at once, is sent with its batch, and is gone when confirmed', () => {
    const at = world();
    at.wait(1);
    const body = request(at);
    const withdrawal = body.withdrawal;
    expect(at.do('withdraw', body, ['buyer'])).toBe('ok');
    expect(at.balance('available', 'buyer')).toBe(90n * MOLT);
    expect(at.balance('outbound')).toBe(10n * MOLT);
    at.wait(HOUR_MS - 2);
    expect(at.orders.dueWithdrawals()).toEqual([]);
    at.wait(1);
    expect(at.orders.dueWithdrawals().map(({ id }) => id)).toEqual([withdrawal]);
    const report = (status: string): string =>
      at.do('withdrawal-report', { withdrawal, status, reference: 'tx-1' }, ['operator']);
    expect(report('confirmed')).toBe('withdrawal-wrong-state');
    expect(report('sent')).toBe('ok');
    expect(report('sent')).toBe('withdrawal-wrong-state');
    expect(at.orders.dueWithdrawals()).toEqual([]);
    expect(report('confirmed')).toBe('ok');
    expect(report('failed')).toBe('withdrawal-wrong-state');
    expect(at.orders.withdrawal(withdrawal)).toMatchObject({ state: 'confirmed', reference: 'tx-1' });
    expect(at.balance('outbound')).toBe(0n);
    at.wait(7 * DAY_MS);
    expect(at.orders.withdrawal(withdrawal)).toBeUndefined();
    expect(at.do('withdraw', body, ['buyer'])).toBe('id-too-old');
  });

  test.each([
    [0, 100_000_000n],
    [1000, 50_000_000n],
    [10_000, 25_000_000n],
    [100_000, 0n],
  ])('at once costs the fee of the tier, once it is confirmed (stake %d)', (stake, fee) => {
    const at = world(stake);
    const body = request(at, { speed: 'instant' });
    const { withdrawal } = body;
    expect(at.do('withdraw', body, ['buyer'])).toBe('ok');
    expect(at.orders.dueWithdrawals()).toHaveLength(1);
    expect(at.balance('treasury')).toBe(0n);
    for (const status of ['sent', 'confirmed'])
      expect(at.do('withdrawal-report', { withdrawal, status }, ['operator'])).toBe('ok');
    expect(at.balance('treasury')).toBe(fee);
  });

  test.each([['requested'], ['sent']])('that fails comes back whole (%s)', (state) => {
    const at = world();
    const body = request(at, { speed: 'instant' });
    const { withdrawal } = body;
    expect(at.do('withdraw', body, ['buyer'])).toBe('ok');
    const statuses = state === 'sent' ? ['sent', 'failed'] : ['failed'];
    for (const status of statuses)
      expect(at.do('withdrawal-report', { withdrawal, status }, ['operator'])).toBe('ok');
    expect(at.orders.withdrawal(withdrawal)?.state).toBe('returned');
    expect(at.balance('available', 'buyer')).toBe(100n * MOLT);
  });

  test('to a malformed address, to itself, or of more than there is, is refused', () => {
    const at = world();
    const malformed = [
      '',
      'x',
      `${address('other')}1`,
      address('other').slice(12),
      '0OIl',
      '11111111111111111111111111111111',
      'did:key:z6MkfrQdcnYEa2AgMNb4vJ1ZBVPgCyXJ7wLJbNxxxxxxxxxx',
    ];
    for (const to of malformed)
      expect(at.do('withdraw', request(at, { to }), ['buyer'])).toBe('address-malformed');
    expect(at.do('withdraw', request(at, { to: address('buyer') }), ['buyer'])).toBe('address-own');
    expect(at.do('withdraw', request(at, { amount: molt(101) }), ['buyer'])).toBe('insufficient-funds');
    const other = at.id(at.timeMs, address('other'));
    expect(at.do('withdraw', request(at, { withdrawal: other }), ['other'])).toBe('address-own');
    expect(at.do('withdraw', request(at), ['provider'])).toBe('id-foreign');
    const provider = at.id(at.timeMs, address('provider'));
    expect(at.do('withdraw', request(at, { withdrawal: provider }), ['provider'])).toBe('insufficient-funds');
    expect(at.do('withdraw', request(at), [])).toBe('signature-missing');
    expect(at.do('withdraw', request(at, { withdrawal: at.id(0) }), ['buyer'])).toBe('id-too-old');
    const used = request(at);
    expect(at.do('withdraw', used, ['buyer'])).toBe('ok');
    expect(at.do('withdraw', { ...used, amount: molt(1) }, ['buyer'])).toBe('id-used');
  });

  test('is reported by operators, and only if there is one', () => {
    const at = world();
    const report = { withdrawal: at.id(), status: 'sent' };
    expect(at.do('withdrawal-report', report, ['operator'])).toBe('withdrawal-not-found');
    const body = request(at);
    expect(at.do('withdraw', body, ['buyer'])).toBe('ok');
    const { withdrawal } = body;
    expect(at.do('withdrawal-report', { withdrawal, status: 'sent' }, ['buyer'])).toBe('signer-not-allowed');
  });
});

describe('a deposit', () => {
  test('is booked once, by the word of the operators', () => {
    const at = new OrderWorld({ settings: { network: 'main' } });
    const body = { deposit: at.id(), owner: address('buyer'), amount: molt(7), reference: 'stripe evt_1' };
    expect(at.do('deposit', body, ['buyer'])).toBe('signer-not-allowed');
    expect(at.do('deposit', body, ['operator'])).toBe('ok');
    expect(at.do('deposit', body, ['operator'])).toBe('id-used');
    expect(at.balance('available', 'buyer')).toBe(7n * MOLT);
    expect(at.balance('external')).toBe(-7n * MOLT);
    at.wait(7 * DAY_MS);
    expect(at.do('deposit', body, ['operator'])).toBe('id-too-old');
  });

  test('is no reason to reach 2^63 base units', () => {
    const at = new OrderWorld();
    const most = (2n ** 63n - 1n).toString();
    const book = (reference: string, amount: string): string => {
      const body = { deposit: at.id(), owner: address('buyer'), reference, amount };
      return at.do('deposit', body, ['operator']);
    };
    expect([book('x', most), book('y', '1')]).toEqual(['ok', 'balance-too-large']);
  });

  test('is booked once, whatever id, owner and amount it is given', () => {
    const at = new OrderWorld();
    const book = (reference: string, name: Name, amount: string): string => {
      const body = { deposit: at.id(), owner: address(name), reference, amount };
      return at.do('deposit', body, ['operator']);
    };
    expect([book('tx-1', 'buyer', '5'), book('tx-2', 'buyer', '5')]).toEqual(['ok', 'ok']);
    for (const name of ['buyer', 'other'] as const) expect(book('tx-1', name, '4')).toBe('reference-used');
    expect(at.orders.depositOf('tx-1')).toMatchObject({ owner: address('buyer'), amount: 5n });
    at.wait(7 * DAY_MS - 1);
    expect(book('tx-1', 'buyer', '5')).toBe('reference-used');
    at.wait(1);
    expect([book('tx-1', 'buyer', '5'), book('tx-1', 'buyer', '5')]).toEqual(['ok', 'reference-used']);
    expect(at.orders.depositOf('tx-2')).toBeUndefined();
  });

  test('that was refused leaves its reference free', () => {
    const at = new OrderWorld();
    const body = { deposit: at.id(), owner: address('buyer'), reference: 'x', amount: '1' };
    at.give('buyer', 1);
    at.freeze('available', 'buyer');
    expect(at.do('deposit', body, ['operator'])).toBe('account-frozen');
    at.freeze('available', 'buyer', false);
    expect(at.do('deposit', body, ['operator'])).toBe('ok');
  });
});

describe('the faucet', () => {
  test('gives its limit in 24 hours from the first draw', () => {
    const at = new OrderWorld({ settings: { faucetAmount: molt(5) } });
    const draw = (amount: number): string => at.do('faucet', { amount: molt(amount) }, ['buyer']);
    expect(draw(2)).toBe('ok');
    at.wait(DAY_MS - 1);
    expect([draw(3), draw(1)]).toEqual(['ok', 'faucet-exhausted']);
    at.wait(1);
    expect(draw(5)).toBe('ok');
  });

  test('gives its limit in 24 hours, labelled as such', () => {
    const at = new OrderWorld({ settings: { faucetAmount: molt(5) } });
    const codes: number[] = [];
    at.machine.watch({
      transfers: (bytes) => codes.push(readTransfer(bytes, 0).code),
      expired: () => undefined,
    });
    expect(at.do('faucet', { amount: molt(3) }, ['buyer'])).toBe('ok');
    expect(codes).toEqual([MOVEMENT_KINDS.faucet]);
    expect(at.do('faucet', { amount: molt(3) }, ['buyer'])).toBe('faucet-exhausted');
    at.wait(DAY_MS - 1);
    expect(at.do('faucet', { amount: molt(3) }, ['buyer'])).toBe('faucet-exhausted');
    at.wait(1);
    expect(at.do('faucet', { amount: molt(3) }, ['buyer'])).toBe('ok');
  });

  test.each(['test', 'main'])('is closed on a network that is no development network (%s)', (network) => {
    const at = new OrderWorld({ settings: { network } });
    expect(at.do('faucet', { amount: '1' }, ['buyer'])).toBe('faucet-closed');
  });
});
