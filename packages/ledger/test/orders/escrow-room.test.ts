// Shows that nobody takes the room of others with escrows in which nothing is, and that ids are used once.
import { describe, expect, test } from 'vitest';
import { address, expectOk, molt, OrderWorld } from './order-world.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const ROOM = 4;

function world(settings = {}): OrderWorld {
  const at = new OrderWorld({ settings: { maxOpen: ROOM, minEscrow: molt(1), ...settings } });
  at.fundParties();
  return at;
}

/** Made, funded and given back, a ms later than what was before. */
function refunded(at: OrderWorld): string {
  at.wait(1);
  const escrow = at.funded();
  expectOk(at.do('escrow-refund', { escrow }, ['provider']));
  return escrow;
}

function known(at: OrderWorld): readonly string[] {
  return [...at.orders.escrows()].map(({ id }) => id);
}

describe('escrows that are over', () => {
  test('take no room: whoever makes and refunds them in a loop keeps nobody out', () => {
    const at = world();
    const ended = Array.from({ length: 3 * ROOM }, () => refunded(at));
    expect(known(at)).toEqual(ended.slice(-ROOM));
    for (let escrow = 0; escrow < ROOM; escrow += 1) at.funded();
    expect(at.do('escrow-create', at.terms(), ['buyer'])).toBe('ledger-full');
    expect(at.do('escrow-refund', { escrow: known(at).at(-1) ?? '' }, ['provider'])).toBe('ok');
    at.funded();
    at.wait(7 * DAY_MS);
    const states = [...at.orders.escrows()].map(({ state }) => state);
    expect(states).toEqual(Array.from({ length: ROOM }, () => 'refunded'));
  });

  test('are forgotten early in the order of their end', () => {
    const at = world();
    const [first = '', second = '', third = ''] = [1, 2, 3].map(() => at.funded());
    for (const escrow of [third, first, second])
      expect(at.do('escrow-refund', { escrow }, ['provider'])).toBe('ok');
    refunded(at);
    expect(known(at)).toContain(third);
    refunded(at);
    expect(known(at)).not.toContain(third);
    expect(known(at)).toEqual(expect.arrayContaining([first, second]));
    refunded(at);
    expect(known(at)).not.toContain(first);
    expect(known(at)).toContain(second);
  });

  test('leave ids that are refused, as are all that are as old; newer ones are taken', () => {
    const at = world();
    const early = at.id();
    const first = refunded(at);
    const never = [at.id(at.timeMs), at.id(at.timeMs + 1)];
    for (let count = 0; count < ROOM; count += 1) refunded(at);
    expect(known(at)).not.toContain(first);
    const take = (escrow: string): string => at.do('escrow-create', at.terms({ escrow }), ['buyer']);
    expect([first, early, ...never].map(take)).toEqual(['id-too-old', 'id-too-old', 'id-too-old', 'ok']);
    expect(at.do('escrow-fund', { escrow: first }, ['buyer'])).toBe('escrow-not-found');
  });

  test('are shown for 7 days where there is room', () => {
    const at = world();
    const escrow = refunded(at);
    at.wait(7 * DAY_MS - 1);
    expect(known(at)).toEqual([escrow]);
    at.wait(1);
    expect(known(at)).toEqual([]);
  });
});

describe('leases that are over', () => {
  test('take no room, and their ids are refused as well', () => {
    const at = world();
    const closed = (): string => {
      const agreement = at.leased();
      expectOk(at.do('agreement-close', { agreement }, ['buyer', 'provider']));
      at.wait(1);
      return agreement;
    };
    const ids = Array.from({ length: 3 * ROOM }, closed);
    expect([...at.orders.agreements()].map(({ id }) => id)).toEqual(ids.slice(-ROOM));
    const escrow = at.funded();
    const open = (agreement = ''): string =>
      at.do('agreement-open', { agreement, escrow, rate: '1' }, ['buyer', 'provider']);
    expect([open(ids[0]), open(ids.at(-1)), open(at.id())]).toEqual(['id-too-old', 'id-used', 'ok']);
  });

  test('leave no id that is younger than that of its escrow', () => {
    const at = world();
    const late = at.id();
    const [first = '', ...others] = Array.from({ length: ROOM }, () => at.funded());
    at.wait(50);
    const agreement = at.id();
    const open = (escrow: string): string =>
      at.do('agreement-open', { agreement, escrow, rate: '1' }, ['buyer', 'provider']);
    expect(open(first)).toBe('ok');
    expect(at.do('agreement-close', { agreement }, ['buyer', 'provider'])).toBe('ok');
    at.funded({ escrow: late });
    for (const escrow of [...others, late])
      expect(at.do('escrow-refund', { escrow }, ['provider'])).toBe('ok');
    at.wait(1);
    expect([known(at).includes(first), open(at.funded())]).toEqual([false, 'id-too-old']);
  });

  test('are those that a dispute has left with next to nothing', () => {
    const at = world();
    // One base unit per ms.
    const agreement = at.leased({ amount: molt(1) });
    at.wait(10);
    expect(at.settle(at.receipt(agreement, 1, 10))).toBe('ok');
    const escrow = at.orders.agreement(agreement)?.escrow ?? '';
    expect(at.do('escrow-dispute', { escrow, reason: 'x' }, ['buyer'])).toBe('ok');
    expect(at.do('escrow-resolve', { escrow, toBuyer: '10', toProvider: '0' }, ['one', 'two'])).toBe('ok');
    at.wait(0);
    expect(at.orders.agreement(agreement)?.state).toBe('closed');
    expect(at.orders.escrow(escrow)).toMatchObject({ state: 'refunded', remaining: 0n, paid: 0n });
  });

  test('are not those that hold enough after a dispute', () => {
    const at = world();
    const agreement = at.leased();
    at.wait(10);
    expect(at.settle(at.receipt(agreement, 1, 10))).toBe('ok');
    const escrow = at.orders.agreement(agreement)?.escrow ?? '';
    expect(at.do('escrow-dispute', { escrow, reason: 'x' }, ['buyer'])).toBe('ok');
    expect(at.do('escrow-resolve', { escrow, toBuyer: '10', toProvider: '0' }, ['one', 'two'])).toBe('ok');
    at.wait(0);
    expect(at.orders.agreement(agreement)?.state).toBe('open');
  });
});

describe('escrows without funds', () => {
  test('take no room, and make room for each other: who waits longest has waited in vain', () => {
    const at = world();
    const made = Array.from({ length: ROOM + 1 }, () => at.created());
    expect(made.map((escrow) => at.orders.escrow(escrow)?.state)).toEqual([
      'expired',
      ...Array.from({ length: ROOM }, () => 'created'),
    ]);
    expect(at.do('escrow-fund', { escrow: made[0] ?? '' }, ['buyer'])).toBe('escrow-wrong-state');
    // What has its funds is out of the way of the others.
    expect(at.do('escrow-fund', { escrow: made[1] ?? '' }, ['buyer'])).toBe('ok');
    at.created();
    expect(at.orders.escrow(made[2] ?? '')?.state).toBe('created');
    at.wait(HOUR_MS);
    expect(at.orders.escrow(made[2] ?? '')?.state).toBe('expired');
  });

  test('get no funds while as many as may be have theirs', () => {
    const at = world();
    const waiting = at.created();
    const funded = Array.from({ length: ROOM }, () => at.funded());
    expect(at.do('escrow-fund', { escrow: waiting }, ['buyer'])).toBe('ledger-full');
    expect(at.do('escrow-refund', { escrow: funded[0] ?? '' }, ['provider'])).toBe('ok');
    expect(at.do('escrow-fund', { escrow: waiting }, ['buyer'])).toBe('ok');
  });
});

describe('next to nothing', () => {
  test('that is held of what has ended is through at once', () => {
    const at = world();
    for (let count = 0; count < 2 * ROOM; count += 1) {
      const escrow = at.funded();
      expect(at.do('escrow-release', { escrow, amount: '1' }, ['buyer'])).toBe('ok');
      expect(at.do('escrow-refund', { escrow }, ['provider'])).toBe('ok');
      expect(at.do('escrow-dispute', { escrow, reason: 'x' }, ['buyer'])).toBe('escrow-wrong-state');
      at.wait(1);
      expect(at.orders.claims(escrow)).toEqual([]);
    }
    expect(at.balance('held', 'provider')).toBe(0n);
  });

  test('is what is left once the rest is through', () => {
    const at = world();
    const escrow = at.funded();
    const pay = (amount: string): string => at.do('escrow-release', { escrow, amount }, ['buyer']);
    expect(pay(molt(2))).toBe('ok');
    at.wait(HOUR_MS);
    expect(pay('1')).toBe('ok');
    expect(at.do('escrow-refund', { escrow }, ['provider'])).toBe('ok');
    at.wait(23 * HOUR_MS - 1);
    expect(at.orders.claims(escrow)).toHaveLength(2);
    at.wait(1);
    expect(at.orders.claims(escrow)).toEqual([]);
  });

  test('stays in no escrow', () => {
    const at = world();
    const escrow = at.funded({ amount: molt(3) });
    const pay = (amount: bigint): string =>
      at.do('escrow-release', { escrow, amount: String(amount) }, ['buyer']);
    const [all, least] = [BigInt(molt(3)), BigInt(molt(1))];
    expect([pay(all - 1n), pay(all - least + 1n), pay(all - least), pay(least)]).toEqual([
      'amount-too-small',
      'amount-too-small',
      'ok',
      'ok',
    ]);
  });

  test('is nothing that keeps payments of a whole escrow from being disputed', () => {
    const at = world();
    const escrow = at.funded({ amount: molt(1) });
    expect(at.do('escrow-release', { escrow }, ['buyer'])).toBe('ok');
    at.wait(DAY_MS - 1);
    expect(at.do('escrow-dispute', { escrow, reason: 'x' }, ['buyer'])).toBe('ok');
    expect(at.orders.claims(escrow)).toMatchObject([{ contested: true, provider: address('provider') }]);
  });
});
