// Shows that a dispute freezes what is contested and nothing else, and that its arbiters alone split it.
import { MOLT, present } from '@clawbernetes/kernel';
import type { OrderResultName } from '@clawbernetes/orders';
import { describe, expect, test } from 'vitest';
import { address, molt, OrderWorld, type Name } from './order-world.ts';

const DAY_MS = 86_400_000;
const ARBITERS: readonly Name[] = ['one', 'two'];
const reason = 'The result is empty.';

function world(): OrderWorld {
  const made = new OrderWorld();
  made.fundParties();
  return made;
}

function released(at: OrderWorld): string {
  const escrow = at.funded();
  expect(at.do('escrow-complete', { escrow }, ['provider'])).toBe('ok');
  expect(at.do('escrow-release', { escrow }, ['buyer'])).toBe('ok');
  return escrow;
}

describe('while funds are locked', () => {
  test('the buyer contests all: nothing moves until arbiters split it', () => {
    const at = world();
    const escrow = at.funded();
    expect(at.do('escrow-dispute', { escrow, reason }, ['other'])).toBe('signer-not-allowed');
    expect(at.do('escrow-dispute', { escrow, reason }, ['buyer'])).toBe('ok');
    expect(at.orders.escrow(escrow)?.state).toBe('disputed');
    expect(at.balance('deposits')).toBe(5n * MOLT);
    expect(at.do('escrow-dispute', { escrow, reason }, ['provider'])).toBe('dispute-open');
    expect(at.do('escrow-release', { escrow }, ['buyer'])).toBe('dispute-open');
    at.wait(10 * DAY_MS);
    expect(at.orders.escrow(escrow)?.remaining).toBe(100n * MOLT);
    const split = { escrow, toBuyer: molt(60), toProvider: molt(40) };
    expect(at.do('escrow-resolve', split, ['one'])).toBe('threshold-not-met');
    expect(at.do('escrow-resolve', split, ['one', 'council'])).toBe('signer-not-allowed');
    for (const toBuyer of [molt(59), molt(61)])
      expect(at.do('escrow-resolve', { ...split, toBuyer }, ARBITERS)).toBe('split-wrong');
    expect(at.do('escrow-resolve', split, ARBITERS)).toBe('ok');
    expect(at.orders.escrow(escrow)).toMatchObject({
      state: 'resolved',
      paid: 40n * MOLT,
      refunded: 60n * MOLT,
    });
    // Of the deposit of 5 the buyer has won 60 %.
    expect(at.balance('available', 'buyer')).toBe(900n * MOLT + 60n * MOLT - 2n * MOLT);
    expect(at.balance('available', 'provider')).toBe(39n * MOLT);
    expect(at.balance('treasury')).toBe(3n * MOLT);
    expect(at.do('escrow-resolve', split, ARBITERS)).toBe('dispute-not-found');
  });

  test('what the buyer does not contest is paid at once', () => {
    const at = world();
    const escrow = at.funded();
    expect(at.do('escrow-dispute', { escrow, amount: molt(101), reason }, ['buyer'])).toBe(
      'amount-exceeds-escrow',
    );
    expect(at.do('escrow-dispute', { escrow, amount: molt(25), reason }, ['buyer'])).toBe('ok');
    expect(at.orders.escrow(escrow)).toMatchObject({ paid: 75n * MOLT, remaining: 25n * MOLT });
    at.wait(DAY_MS);
    expect(at.balance('available', 'provider')).toBe(73_125_000_000n);
    expect(at.do('escrow-resolve', { escrow, toBuyer: molt(25), toProvider: '0' }, ARBITERS)).toBe('ok');
    expect(at.balance('available', 'buyer')).toBe(925n * MOLT);
    expect(at.balance('deposits')).toBe(0n);
  });

  test('the provider contests all that is locked, or nothing', () => {
    const at = world();
    at.give('provider', 10);
    const escrow = at.funded();
    expect(at.do('escrow-dispute', { escrow, amount: molt(10), reason }, ['provider'])).toBe('split-wrong');
    expect(at.do('escrow-dispute', { escrow, reason }, ['provider'])).toBe('ok');
    expect(at.do('escrow-resolve', { escrow, toBuyer: '0', toProvider: molt(100) }, ARBITERS)).toBe('ok');
    expect(at.balance('available', 'provider')).toBe(107_500_000_000n);
  });

  test.each([
    ['refund', 1000n * MOLT, 0n],
    ['release', 900n * MOLT, 97_500_000_000n],
  ])('arbiters who are silent for 30 days leave it to the terms (%s)', (onDeadline, buyer, provider) => {
    const at = world();
    const escrow = at.funded({ onDeadline });
    expect(at.do('escrow-dispute', { escrow, reason }, ['buyer'])).toBe('ok');
    at.wait(30 * DAY_MS - 1);
    expect(at.orders.escrow(escrow)?.state).toBe('disputed');
    at.wait(1);
    expect(at.orders.escrow(escrow)?.state).toBe('resolved');
    expect(at.balance('available', 'buyer')).toBe(buyer);
    expect(at.balance('available', 'provider')).toBe(provider);
  });

  test('it is opened before the deadline, with a deposit', () => {
    const at = world();
    const escrow = at.funded();
    expect(at.do('escrow-dispute', { escrow, reason }, ['provider'])).toBe('insufficient-funds');
    at.freeze('available', 'buyer');
    at.wait(7 * DAY_MS);
    expect(at.do('escrow-dispute', { escrow, reason }, ['buyer'])).toBe('escrow-over');
  });
});

describe('the deposit', () => {
  test('has a floor where the settings have one: a dispute about nothing holds up stake for something', () => {
    const at = new OrderWorld({ settings: { minDisputeDeposit: molt(2) } });
    at.fundParties();
    const escrow = at.funded();
    expect(at.do('escrow-complete', { escrow }, ['provider'])).toBe('ok');
    expect(at.do('escrow-dispute', { escrow, amount: '1', reason }, ['buyer'])).toBe('ok');
    expect(at.balance('deposits')).toBe(2n * MOLT);
    expect(at.do('escrow-resolve', { escrow, toBuyer: '0', toProvider: '1' }, ARBITERS)).toBe('ok');
    expect(at.balance('treasury')).toBe(2n * MOLT);
    // Where the fee of the tier is more, it stays that; whoever has not so much opens none.
    const large = at.funded();
    expect(at.do('escrow-dispute', { escrow: large, reason }, ['provider'])).toBe('insufficient-funds');
    expect(at.do('escrow-dispute', { escrow: large, reason }, ['buyer'])).toBe('ok');
    expect(at.balance('deposits')).toBe(5n * MOLT);
  });

  test('has none in ledgers of before', () => {
    const at = world();
    const escrow = at.funded();
    expect(at.do('escrow-dispute', { escrow, amount: '1', reason }, ['buyer'])).toBe('ok');
    expect(at.balance('deposits')).toBe(0n);
  });
});

describe('while funds are held', () => {
  test('only the contested slice stays; the rest becomes available in its time', () => {
    const at = world();
    const escrow = released(at);
    expect(at.do('escrow-dispute', { escrow, amount: molt(40), reason }, ['buyer'])).toBe('ok');
    at.wait(DAY_MS);
    expect(at.balance('available', 'provider')).toBe(58_500_000_000n);
    expect(at.balance('held', 'provider')).toBe(39n * MOLT);
    expect(at.do('escrow-resolve', { escrow, toBuyer: molt(30), toProvider: molt(10) }, ARBITERS)).toBe('ok');
    expect(at.orders.escrow(escrow)).toMatchObject({
      state: 'resolved',
      paid: 70n * MOLT,
      refunded: 30n * MOLT,
    });
    expect(at.balance('available', 'provider')).toBe(58_500_000_000n + 9_750_000_000n);
    // 30 of the job and their share of a deposit of 2; the provider's fee for them is given back as well.
    expect(at.balance('available', 'buyer')).toBe(900n * MOLT + 30n * MOLT - 500_000_000n);
    expect(at.balance('treasury')).toBe(1_750_000_000n + 500_000_000n);
  });

  test('until 24 hours after the payment, to the ms', () => {
    const at = world();
    const escrow = released(at);
    at.wait(DAY_MS - 1);
    expect(at.do('escrow-dispute', { escrow, amount: molt(101), reason }, ['buyer'])).toBe(
      'amount-exceeds-escrow',
    );
    expect(at.do('escrow-dispute', { escrow, reason }, ['provider'])).toBe('signer-not-allowed');
    const later = released(at);
    expect(at.do('escrow-dispute', { escrow, reason }, ['buyer'])).toBe('ok');
    at.wait(DAY_MS);
    expect(at.do('escrow-dispute', { escrow: later, reason }, ['buyer'])).toBe('dispute-window-over');
  });

  test('arbiters who are silent leave it to the provider, and the deposit goes back', () => {
    const at = world();
    const escrow = released(at);
    expect(at.do('escrow-dispute', { escrow, reason }, ['buyer'])).toBe('ok');
    at.wait(30 * DAY_MS);
    expect(at.orders.escrow(escrow)?.state).toBe('resolved');
    expect(at.balance('available', 'provider')).toBe(97_500_000_000n);
    expect(at.balance('available', 'buyer')).toBe(900n * MOLT);
  });

  test('what was refunded or never funded is not disputed', () => {
    const at = world();
    const escrow = at.created();
    expect(at.do('escrow-dispute', { escrow, reason }, ['buyer'])).toBe('escrow-wrong-state');
  });
});

describe('to the base unit', () => {
  test('what does not divide stays with the buyer: of the fee, and of the deposit with the treasury', () => {
    const at = world();
    at.stake('buyer', 1000);
    const before = at.balance('available', 'buyer');
    const escrow = at.funded({ amount: '999' });
    expect(at.do('escrow-release', { escrow }, ['buyer'])).toBe('ok');
    // 2.5 % of 999 is 24; 3 % of it, as the buyer is silver, 29.
    expect([at.balance('fees'), at.balance('held', 'provider')]).toEqual([24n, 975n]);
    expect(at.do('escrow-dispute', { escrow, reason }, ['buyer'])).toBe('ok');
    expect(at.balance('deposits')).toBe(29n);
    const split = { escrow, toBuyer: '500', toProvider: '499' };
    expect(at.do('escrow-resolve', split, ARBITERS)).toBe('ok');
    // Of 24, 24 × 499 / 999 is 11; of 29, 29 × 500 / 999 is 14.
    expect(at.balance('treasury')).toBe(11n + 15n);
    expect(at.balance('available', 'provider')).toBe(499n - 11n);
    expect(at.balance('available', 'buyer')).toBe(before - 499n - 15n);
  });
});

describe('without arbiters of its own', () => {
  test('an escrow is for the council', () => {
    const at = world();
    const escrow = at.funded({ arbiters: undefined });
    expect(at.do('escrow-dispute', { escrow, reason }, ['buyer'])).toBe('ok');
    const split = { escrow, toBuyer: molt(100), toProvider: '0' };
    expect(at.do('escrow-resolve', split, ARBITERS)).toBe('signer-not-allowed');
    expect(at.do('escrow-resolve', split, ['council'])).toBe('ok');
    expect(at.balance('available', 'buyer')).toBe(1000n * MOLT);
  });
});

describe('stake', () => {
  test('answers up to what the provider signed for', () => {
    const at = world();
    const escrow = at.funded({ slashable: molt(50) });
    expect(at.do('escrow-dispute', { escrow, reason }, ['buyer'])).toBe('ok');
    const split = { escrow, toBuyer: molt(100), toProvider: '0', slashTo: 'buyer' };
    expect(at.do('escrow-resolve', { ...split, slash: molt(51) }, ARBITERS)).toBe('slash-exceeds-limit');
    expect(at.do('escrow-resolve', { ...split, slash: molt(50) }, ARBITERS)).toBe('ok');
    expect(at.balance('stake', 'provider')).toBe(50n * MOLT);
    expect(at.balance('available', 'buyer')).toBe(1000n * MOLT);
    at.wait(7 * DAY_MS - 1);
    expect(at.balance('unbonding', 'buyer')).toBe(50n * MOLT);
    at.wait(1);
    expect(at.balance('available', 'buyer')).toBe(1050n * MOLT);
  });

  test('answers up to that in all disputes of a lease together', () => {
    const at = world();
    const agreement = at.leased({ slashable: molt(50) });
    const { escrow } = present(at.orders.agreement(agreement), 'the agreement');
    const slash = (n: number, amount: string): OrderResultName => {
      at.wait(60_000);
      expect(at.settle(at.receipt(agreement, n, n * 60_000))).toBe('ok');
      expect(at.do('escrow-dispute', { escrow, reason }, ['buyer'])).toBe('ok');
      const toBuyer = String(at.orders.escrow(escrow)?.dispute?.amount);
      const split = { escrow, toBuyer, toProvider: '0' };
      const code = at.do('escrow-resolve', { ...split, slash: amount }, ARBITERS);
      if (code !== 'ok') expect(at.do('escrow-resolve', split, ARBITERS)).toBe('ok');
      return code;
    };
    expect([slash(1, molt(30)), slash(2, molt(21)), slash(3, molt(20)), slash(4, '1')]).toEqual([
      'ok',
      'slash-exceeds-limit',
      'ok',
      'slash-exceeds-limit',
    ]);
    expect(at.balance('stake', 'provider')).toBe(50n * MOLT);
  });

  test('does not unbond at once where its owner and a friend slash it for each other', () => {
    const at = world();
    const friend = address('other');
    const slashed = at.balance('stake', 'provider').toString();
    at.give('other', 1);
    const arbiters = { keys: [friend], threshold: 1 };
    const id = at.id(at.timeMs, friend);
    const terms = at.terms({
      escrow: id,
      buyer: friend,
      releaser: friend,
      amount: '100',
      arbiters,
      slashable: slashed,
    });
    expect(at.do('escrow-create', terms, ['other', 'provider'])).toBe('ok');
    for (let part = 0; part < 32; part += 1) {
      at.stake('other', 1);
      expect(at.do('stake-withdraw', { amount: molt(1) }, ['other'])).toBe('ok');
    }
    expect(at.do('escrow-fund', { escrow: id }, ['other'])).toBe('ok');
    expect(at.do('escrow-dispute', { escrow: id, reason }, ['other'])).toBe('ok');
    at.wait(DAY_MS);
    const split = { escrow: id, toBuyer: '100', toProvider: '0', slash: slashed, slashTo: 'buyer' };
    expect(at.do('escrow-resolve', split, ['other'])).toBe('ok');
    expect(at.orders.stake(friend).unbonding).toHaveLength(32);
    at.wait(7 * DAY_MS - 1);
    // One part has joined what was slashed.
    expect(at.balance('unbonding', 'other')).toBe(101n * MOLT);
    expect(at.do('stake-slash', { owner: friend, amount: slashed, reason }, ['council'])).toBe('ok');
    expect(at.balance('treasury')).toBe(100n * MOLT);
  });

  test('does not answer for a job that the provider never signed', () => {
    const at = world();
    const escrow = at.funded();
    expect(at.do('escrow-dispute', { escrow, reason }, ['buyer'])).toBe('ok');
    const split = { escrow, toBuyer: molt(100), toProvider: '0', slash: '1' };
    expect(at.do('escrow-resolve', split, ARBITERS)).toBe('slash-exceeds-limit');
    expect(at.do('stake-withdraw', { amount: molt(100) }, ['provider'])).toBe('ok');
  });

  test('answers wholly, whatever its owner takes out while the dispute is open', () => {
    const at = world();
    at.stake('provider', 1400);
    const escrow = at.funded({ slashable: molt(1450) });
    expect(at.do('stake-withdraw', { amount: molt(500) }, ['provider'])).toBe('ok');
    at.wait(6 * DAY_MS);
    expect(at.do('escrow-dispute', { escrow, reason }, ['buyer'])).toBe('ok');
    expect(at.do('stake-withdraw', { amount: molt(1) }, ['provider'])).toBe('stake-in-dispute');
    // Below what is slashable, but no further than to where it is slashed as well.
    at.stake('provider', 500);
    expect(at.do('stake-withdraw', { amount: molt(500) }, ['provider'])).toBe('ok');
    at.wait(29 * DAY_MS);
    expect(at.balance('available', 'provider')).toBe(0n);
    expect(at.balance('unbonding', 'provider')).toBe(1000n * MOLT);
    const split = { escrow, toBuyer: molt(100), toProvider: '0', slash: molt(1450) };
    expect(at.do('escrow-resolve', split, ARBITERS)).toBe('ok');
    expect(at.balance('treasury')).toBe(1450n * MOLT);
    at.wait(0);
    expect(at.balance('available', 'provider')).toBe(550n * MOLT);
  });

  test('answers with what unbonds too, the last first, but not with more than there is', () => {
    const at = world();
    const escrow = at.funded({ slashable: molt(500) });
    const untilMs = at.timeMs + 7 * DAY_MS;
    for (const amount of [molt(30), molt(40)]) {
      expect(at.do('stake-withdraw', { amount }, ['provider'])).toBe('ok');
      at.wait(1);
    }
    expect(at.do('escrow-dispute', { escrow, reason }, ['buyer'])).toBe('ok');
    const split = { escrow, toBuyer: molt(100), toProvider: '0' };
    expect(at.do('escrow-resolve', { ...split, slash: molt(101) }, ARBITERS)).toBe('slash-exceeds-limit');
    expect(at.do('escrow-resolve', { ...split, slash: molt(80) }, ARBITERS)).toBe('ok');
    expect(at.orders.stake(at.orders.escrow(escrow)?.provider ?? '')).toMatchObject({
      staked: 0n,
      unbonding: [{ amount: 20n * MOLT, untilMs }],
    });
    expect(at.balance('treasury')).toBe(80n * MOLT);
  });
});
