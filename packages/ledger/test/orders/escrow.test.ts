// Shows that an escrow ends exactly once, by its own release rule, at its own time, with the fee of its tier.
import { MOLT } from '@clawbernetes/kernel';
import { describe, expect, test } from 'vitest';
import { address, molt, OrderWorld, PANEL, START_MS } from './order-world.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

function world(): OrderWorld {
  const made = new OrderWorld();
  made.fundParties();
  return made;
}

test('funds are locked, then held, then available after 24 hours to the ms, and the fee is the treasury’s', () => {
  const at = world();
  const escrow = at.funded();
  expect(at.orders.escrow(escrow)?.state).toBe('funded');
  expect(at.balance('available', 'buyer')).toBe(900n * MOLT);
  expect(at.do('escrow-complete', { escrow }, ['provider'])).toBe('ok');
  expect(at.do('escrow-release', { escrow }, ['buyer'])).toBe('ok');
  expect(at.orders.escrow(escrow)).toMatchObject({ state: 'released', paid: 100n * MOLT, remaining: 0n });
  expect(at.balance('held', 'provider')).toBe(97_500_000_000n);
  expect(at.balance('fees')).toBe(2_500_000_000n);
  at.wait(DAY_MS - 1);
  expect(at.balance('available', 'provider')).toBe(0n);
  at.wait(1);
  expect(at.balance('available', 'provider')).toBe(97_500_000_000n);
  expect(at.balance('held', 'provider')).toBe(0n);
  expect(at.balance('treasury')).toBe(2_500_000_000n);
});

test.each([
  ['bronze', 100, 2_500_000_000n],
  ['silver', 1000, 1_500_000_000n],
  ['gold', 10_000, 1_000_000_000n],
  ['diamond', 100_000, 500_000_000n],
])('the job fee is that of the tier (%s)', (_tier, stake, fee) => {
  const at = new OrderWorld();
  at.give('buyer', 1000);
  at.stake('provider', stake);
  const escrow = at.funded();
  expect(at.do('escrow-release', { escrow }, ['buyer'])).toBe('ok');
  expect(at.balance('fees')).toBe(fee);
});

test('a part can be released; the rest stays locked until it is released or refunded', () => {
  const at = world();
  const escrow = at.funded();
  expect(at.do('escrow-release', { escrow, amount: molt(101) }, ['buyer'])).toBe('amount-exceeds-escrow');
  expect(at.do('escrow-release', { escrow, amount: molt(30) }, ['buyer'])).toBe('ok');
  expect(at.orders.escrow(escrow)).toMatchObject({ state: 'funded', remaining: 70n * MOLT });
  expect(at.do('escrow-refund', { escrow }, ['provider'])).toBe('ok');
  expect(at.orders.escrow(escrow)).toMatchObject({
    state: 'refunded',
    paid: 30n * MOLT,
    refunded: 70n * MOLT,
    remaining: 0n,
  });
  expect(at.balance('available', 'buyer')).toBe(970n * MOLT);
});

describe('release', () => {
  test('by a single party, and by nobody else', () => {
    const at = world();
    const escrow = at.funded({ releaser: address('other') });
    expect(at.do('escrow-release', { escrow }, ['buyer'])).toBe('signer-not-allowed');
    expect(at.do('escrow-release', { escrow }, [])).toBe('signature-missing');
    expect(at.do('escrow-release', { escrow }, ['other'])).toBe('ok');
  });

  test('by both parties together', () => {
    const at = world();
    const escrow = at.funded({ release: 'both', releaser: undefined });
    expect(at.do('escrow-release', { escrow }, ['buyer'])).toBe('signature-missing');
    expect(at.do('escrow-release', { escrow }, ['provider'])).toBe('signature-missing');
    expect(at.do('escrow-release', { escrow }, ['buyer', 'buyer'])).toBe('signer-twice');
    expect(at.do('escrow-release', { escrow }, ['buyer', 'provider'])).toBe('ok');
  });

  test('by m of n arbiters, who may also refund', () => {
    const at = world();
    const terms = { release: 'arbiters', releaser: undefined };
    const escrow = at.funded(terms);
    expect(at.do('escrow-release', { escrow }, ['one'])).toBe('threshold-not-met');
    expect(at.do('escrow-release', { escrow }, ['one', 'one'])).toBe('signer-twice');
    expect(at.do('escrow-release', { escrow }, ['one', 'buyer'])).toBe('signer-not-allowed');
    expect(at.do('escrow-release', { escrow }, ['three', 'one'])).toBe('ok');
    const other = at.funded(terms);
    expect(at.do('escrow-refund', { escrow: other }, ['two'])).toBe('signature-missing');
    expect(at.do('escrow-refund', { escrow: other }, ['two', 'one', 'three'])).toBe('ok');
  });

  test('by time alone', () => {
    const at = world();
    const escrow = at.funded({ release: 'time-lock', releaser: undefined, onDeadline: 'release' });
    expect(at.do('escrow-release', { escrow }, ['buyer', 'provider'])).toBe('release-not-allowed');
    at.wait(7 * DAY_MS - 1);
    expect(at.orders.escrow(escrow)?.state).toBe('funded');
    at.wait(1);
    expect(at.orders.escrow(escrow)?.state).toBe('released');
    expect(at.balance('held', 'provider')).toBe(97_500_000_000n);
  });
});

test('without a release in 7 days the buyer has his funds back, to the ms', () => {
  const at = world();
  const escrow = at.funded();
  at.wait(7 * DAY_MS - 1);
  expect(at.do('escrow-complete', { escrow }, ['provider'])).toBe('ok');
  at.wait(1);
  expect(at.orders.escrow(escrow)?.state).toBe('refunded');
  expect(at.balance('available', 'buyer')).toBe(1000n * MOLT);
  expect(at.do('escrow-release', { escrow }, ['buyer'])).toBe('escrow-wrong-state');
});

test('an escrow that is not funded expires within the hour', () => {
  const at = world();
  const escrow = at.created();
  at.wait(HOUR_MS - 1);
  expect(at.orders.escrow(escrow)?.state).toBe('created');
  at.wait(1);
  expect(at.orders.escrow(escrow)?.state).toBe('expired');
  expect(at.do('escrow-fund', { escrow }, ['buyer'])).toBe('escrow-wrong-state');
});

test('nothing happens twice, or out of turn', () => {
  const at = world();
  const escrow = at.created();
  expect(at.do('escrow-release', { escrow }, ['buyer'])).toBe('escrow-wrong-state');
  expect(at.do('escrow-complete', { escrow }, ['provider'])).toBe('escrow-wrong-state');
  expect(at.do('escrow-fund', { escrow }, ['buyer'])).toBe('ok');
  expect(at.do('escrow-fund', { escrow }, ['buyer'])).toBe('escrow-wrong-state');
  expect(at.do('escrow-complete', { escrow }, ['provider'])).toBe('ok');
  expect(at.do('escrow-complete', { escrow }, ['provider'])).toBe('escrow-wrong-state');
  expect(at.do('escrow-release', { escrow }, ['buyer'])).toBe('ok');
  expect(at.do('escrow-release', { escrow }, ['buyer'])).toBe('escrow-wrong-state');
  expect(at.do('escrow-refund', { escrow }, ['provider'])).toBe('escrow-wrong-state');
  expect(at.do('escrow-refund', { escrow: at.id() }, ['provider'])).toBe('escrow-not-found');
});

describe('an escrow is not made', () => {
  test.each([
    ['the parties are one', { provider: address('buyer') }],
    ['nobody is to release', { releaser: undefined }],
    ['somebody is to release what time does', { release: 'time-lock' }],
    ['there are no arbiters', { release: 'arbiters', releaser: undefined, arbiters: undefined }],
    ['an arbiter counts twice', { arbiters: { keys: [address('one'), address('one')], threshold: 1 } }],
    ['no threshold can be met', { arbiters: { ...PANEL, threshold: 4 } }],
    ['the deadline is over', { deadlineMs: START_MS }],
    ['the deadline is far off', { deadlineMs: START_MS + 400 * DAY_MS }],
  ])('where %s', (_what, change) => {
    const at = world();
    expect(at.do('escrow-create', at.terms(change), ['buyer'])).toBe('escrow-terms-invalid');
  });

  test('with stake to be slashed, unless the provider signs', () => {
    const at = world();
    const terms = at.terms({ slashable: molt(10) });
    expect(at.do('escrow-create', terms, ['buyer'])).toBe('signature-missing');
    expect(at.do('escrow-create', terms, ['buyer', 'provider'])).toBe('ok');
    expect(at.orders.escrow(terms.escrow)?.accepted).toBe(true);
  });

  test('under an id that is used, old, or of the future', () => {
    const at = world();
    const escrow = at.created();
    expect(at.do('escrow-create', at.terms({ escrow }), ['buyer'])).toBe('id-used');
    const old = at.id(at.timeMs - DAY_MS);
    expect(at.do('escrow-create', at.terms({ escrow: old }), ['buyer'])).toBe('id-too-old');
    const early = at.id(at.timeMs + 60_001);
    expect(at.do('escrow-create', at.terms({ escrow: early }), ['buyer'])).toBe('id-in-future');
    const furthest = at.id(at.timeMs + 60_000);
    expect(at.do('escrow-create', at.terms({ escrow: furthest }), ['buyer'])).toBe('ok');
  });

  test('under an id that somebody else has shown', () => {
    const at = world();
    at.give('other', 100);
    const shown = at.id();
    const squatter = { buyer: address('other'), releaser: address('other'), escrow: shown };
    expect(at.do('escrow-create', at.terms(squatter), ['other'])).toBe('id-foreign');
    expect(at.do('escrow-create', at.terms({ escrow: shown }), ['buyer'])).toBe('ok');
    // Either party may have made it, if he signs.
    const providers = at.terms({ escrow: at.id(at.timeMs, address('provider')) });
    expect(at.do('escrow-create', providers, ['buyer'])).toBe('id-foreign');
    expect(at.do('escrow-create', providers, ['buyer', 'provider'])).toBe('ok');
  });

  test('without funds, for a provider without stake, or beyond what a buyer or the ledger may have open', () => {
    const at = world();
    expect(at.do('escrow-create', at.terms({ amount: molt(1001) }), ['buyer'])).toBe('insufficient-funds');
    // What is funded waits no more.
    at.funded({ amount: '1' });
    for (let count = 0; count < 100; count += 1) at.created({ amount: '1' });
    expect(at.do('escrow-create', at.terms(), ['buyer'])).toBe('ledger-full');
    // What came to nothing takes its place until it is forgotten.
    at.wait(HOUR_MS);
    at.wait(2 * DAY_MS - 1);
    expect(at.do('escrow-create', at.terms(), ['buyer'])).toBe('ledger-full');
    at.wait(1);
    expect(at.do('escrow-create', at.terms(), ['buyer'])).toBe('ok');
    const small = new OrderWorld({ settings: { maxOpen: 2 } });
    small.give('buyer', 1000);
    const escrow = small.created();
    expect(small.do('escrow-fund', { escrow }, ['buyer'])).toBe('provider-without-stake');
    small.stake('provider', 100);
    expect(small.do('escrow-fund', { escrow }, ['buyer'])).toBe('ok');
    small.funded();
    expect(small.do('escrow-create', small.terms(), ['buyer'])).toBe('ledger-full');
  });

  test('for less than the ledger takes', () => {
    const at = new OrderWorld({ settings: { minEscrow: molt(1) } });
    at.fundParties();
    const code = (amount: string): string => at.do('escrow-create', at.terms({ amount }), ['buyer']);
    expect([String(MOLT - 1n), molt(1)].map(code)).toEqual(['amount-too-small', 'ok']);
  });

  test('for longer than 366 days', () => {
    const at = world();
    const longest = at.timeMs + 366 * DAY_MS;
    const code = (deadlineMs: number): string => at.do('escrow-create', at.terms({ deadlineMs }), ['buyer']);
    expect([longest, longest + 1].map(code)).toEqual(['ok', 'escrow-terms-invalid']);
  });

  test('with funds that went elsewhere meanwhile, or lie frozen', () => {
    const at = world();
    const [first, second] = [at.created({ amount: molt(800) }), at.created({ amount: molt(800) })];
    expect(at.do('escrow-fund', { escrow: first }, ['buyer'])).toBe('ok');
    expect(at.do('escrow-fund', { escrow: second }, ['buyer'])).toBe('insufficient-funds');
    at.freeze('available', 'buyer');
    expect(at.do('escrow-fund', { escrow: at.created({ amount: '5' }) }, ['buyer'])).toBe('account-frozen');
  });
});

test('a ledger that holds as many payments as it may takes no further one until one is through', () => {
  const at = new OrderWorld({ settings: { maxOpen: 2 } });
  at.fundParties();
  const escrow = at.funded();
  const release = (): string => at.do('escrow-release', { escrow, amount: molt(1) }, ['buyer']);
  for (let payment = 0; payment < 4; payment += 1) expect(release()).toBe('ok');
  expect(release()).toBe('ledger-full');
  at.wait(DAY_MS);
  expect(release()).toBe('ok');
});

describe('payments of next to nothing', () => {
  const small = (): OrderWorld => {
    const at = new OrderWorld({ settings: { minEscrow: molt(1), maxOpen: 20 } });
    at.fundParties();
    return at;
  };
  const release = (at: OrderWorld, escrow: string, amount: string): string =>
    at.do('escrow-release', { escrow, amount }, ['buyer']);

  test('have no room but for one, until what is held is worth it or is through', () => {
    const at = small();
    const escrow = at.funded({ amount: molt(10) });
    const pay = (amount: string): string => release(at, escrow, amount);
    expect([pay('1'), pay('999999998'), pay('999999999')]).toEqual(['ok', 'payments-too-small', 'ok']);
    // Two are held, worth one.
    expect([pay('5'), pay(molt(1)), pay('5')]).toEqual(['payments-too-small', 'ok', 'payments-too-small']);
    at.wait(DAY_MS);
    expect([pay('5'), pay('5')]).toEqual(['ok', 'payments-too-small']);
  });

  test('do not keep anybody else from being paid', () => {
    const at = small();
    const escrows = Array.from({ length: 15 }, () => at.funded({ amount: molt(2) }));
    const honest = at.funded({ amount: molt(10) });
    for (let round = 0; round < 4; round += 1) for (const escrow of escrows) release(at, escrow, '1');
    expect(escrows.flatMap((escrow) => at.orders.claims(escrow))).toHaveLength(escrows.length);
    for (let payment = 0; payment < 10; payment += 1) expect(release(at, honest, molt(1))).toBe('ok');
  });

  test('wait for their turn also where a deadline brings them, and are paid', () => {
    const at = small();
    const deadlineMs = at.timeMs + 25 * HOUR_MS;
    const escrow = at.funded({ amount: '4500000000', onDeadline: 'release', deadlineMs });
    expect(release(at, escrow, molt(3))).toBe('ok');
    at.wait(23 * HOUR_MS);
    expect([release(at, escrow, '1'), release(at, escrow, '1')]).toEqual(['ok', 'ok']);
    at.wait(2 * HOUR_MS);
    // With the rest three would be held, worth less than two.
    expect(at.orders.escrow(escrow)?.state).toBe('funded');
    for (let hour = 0; hour < 24; hour += 1) at.wait(HOUR_MS);
    expect(at.orders.escrow(escrow)).toMatchObject({ state: 'released', paid: 4_500_000_000n });
  });
});

test('what cannot settle because an account is frozen settles once it is thawed', () => {
  const at = world();
  const escrow = at.funded();
  at.freeze('available', 'buyer');
  at.wait(8 * DAY_MS);
  expect(at.orders.escrow(escrow)?.state).toBe('funded');
  expect(at.do('escrow-release', { escrow }, ['buyer'])).toBe('escrow-over');
  expect(at.do('escrow-complete', { escrow }, ['provider'])).toBe('escrow-over');
  at.freeze('available', 'buyer', false);
  at.wait(HOUR_MS);
  expect(at.orders.escrow(escrow)?.state).toBe('refunded');
});

test('what ended is forgotten after 7 days, when its id is too old to be taken again', () => {
  const at = world();
  const escrow = at.funded();
  expect(at.do('escrow-refund', { escrow }, ['provider'])).toBe('ok');
  at.wait(7 * DAY_MS - 1);
  expect(at.orders.escrow(escrow)).toBeDefined();
  at.wait(1);
  expect(at.orders.escrow(escrow)).toBeUndefined();
  expect(at.do('escrow-create', at.terms({ escrow }), ['buyer'])).toBe('id-too-old');
});
