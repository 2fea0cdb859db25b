// Shows that stake unbonds for 7 days to the ms, stays while a dispute needs it, and can be slashed.
import { MOLT } from '@clawbernetes/kernel';
import { expect, test } from 'vitest';
import { feeOf, tierOf, TIERS } from '../../src/orders/fees.ts';
import { encodeOrder } from '../../src/orders/order.ts';
import { address, LEDGER, molt, OrderWorld, START_MS } from './order-world.ts';

const DAY_MS = 86_400_000;
const reason = 'Late.';

test('tiers begin exactly at their stake', () => {
  for (const tier of TIERS) {
    expect(tierOf(tier.stake).name).toBe(tier.name);
    if (tier.stake > 0n) expect(tierOf(tier.stake - 1n).name).not.toBe(tier.name);
  }
  expect(
    TIERS.map(({ name, jobFee, instantFee, disputeFee }) => [name, jobFee, instantFee, disputeFee]),
  ).toEqual([
    ['diamond', 50n, 0n, 100n],
    ['gold', 100n, 25n, 200n],
    ['silver', 150n, 50n, 300n],
    ['bronze', 250n, 100n, 500n],
    ['none', 250n, 100n, 500n],
  ]);
  expect(feeOf(399n, 250n)).toBe(9n);
});

test('what is withdrawn unbonds for 7 days to the ms and is then available', () => {
  const at = new OrderWorld();
  at.stake('provider', 150);
  expect(at.do('stake-withdraw', { amount: molt(151) }, ['provider'])).toBe('stake-insufficient');
  expect(at.do('stake-withdraw', { amount: molt(50) }, ['provider'])).toBe('ok');
  at.wait(DAY_MS);
  expect(at.do('stake-withdraw', { amount: molt(100) }, ['provider'])).toBe('ok');
  expect(at.balance('stake', 'provider')).toBe(0n);
  at.wait(6 * DAY_MS - 1);
  expect(at.balance('available', 'provider')).toBe(0n);
  at.wait(1);
  expect(at.balance('available', 'provider')).toBe(50n * MOLT);
  at.wait(DAY_MS);
  expect(at.balance('available', 'provider')).toBe(150n * MOLT);
  expect([...at.orders.stakes()]).toEqual([]);
});

test('each part is through at its own time, and those of one time together', () => {
  const at = new OrderWorld();
  at.stake('provider', 100);
  const begin = (): string => at.do('stake-withdraw', { amount: molt(10) }, ['provider']);
  expect([begin(), begin()]).toEqual(['ok', 'ok']);
  at.wait(1);
  expect(begin()).toBe('ok');
  at.wait(7 * DAY_MS - 1);
  expect(at.balance('available', 'provider')).toBe(20n * MOLT);
  at.wait(1);
  expect(at.balance('available', 'provider')).toBe(30n * MOLT);
});

test('nobody stakes what he has not, or for somebody else', () => {
  const at = new OrderWorld();
  at.give('provider', 1);
  expect(at.do('stake-deposit', { amount: molt(2) }, ['provider'])).toBe('insufficient-funds');
  expect(at.do('stake-deposit', { amount: molt(1) }, [])).toBe('signature-missing');
  expect(at.do('stake-deposit', { amount: molt(1) }, ['other', 'provider'])).toBe('signer-not-allowed');
  expect(at.do('stake-deposit', { amount: molt(1) }, ['other'])).toBe('insufficient-funds');
});

test('while a dispute is open stake keeps its tier, and what unbonds waits', () => {
  const at = new OrderWorld();
  at.give('buyer', 1000);
  at.stake('provider', 1500);
  expect(at.do('stake-withdraw', { amount: molt(100) }, ['provider'])).toBe('ok');
  at.wait(6 * DAY_MS);
  const escrow = at.funded();
  expect(at.do('escrow-complete', { escrow }, ['provider'])).toBe('ok');
  expect(at.do('escrow-dispute', { escrow, reason }, ['buyer'])).toBe('ok');
  expect(at.do('stake-withdraw', { amount: molt(401) }, ['provider'])).toBe('stake-in-dispute');
  expect(at.do('stake-withdraw', { amount: molt(400) }, ['provider'])).toBe('ok');
  at.wait(5 * DAY_MS);
  expect(at.balance('available', 'provider')).toBe(0n);
  const split = { escrow, toBuyer: molt(100), toProvider: '0' };
  expect(at.do('escrow-resolve', split, ['one', 'two'])).toBe('ok');
  at.wait(0);
  expect(at.balance('available', 'provider')).toBe(100n * MOLT);
  expect(at.do('stake-withdraw', { amount: molt(401) }, ['provider'])).toBe('ok');
});

test('the council slashes, and nobody else', () => {
  const at = new OrderWorld();
  at.stake('provider', 100);
  const body = { owner: address('provider'), amount: molt(40), reason };
  expect(at.do('stake-slash', body, ['operator'])).toBe('signer-not-allowed');
  expect(at.do('stake-slash', body, ['council'])).toBe('ok');
  expect(at.do('stake-slash', { ...body, amount: molt(61) }, ['council'])).toBe('slash-exceeds-limit');
  expect(at.balance('stake', 'provider')).toBe(60n * MOLT);
  expect(at.balance('treasury')).toBe(40n * MOLT);
});

test('so many parts unbond at once, and no more', () => {
  const at = new OrderWorld();
  at.stake('provider', 100);
  for (let count = 0; count < 32; count += 1)
    expect(at.do('stake-withdraw', { amount: '1' }, ['provider'])).toBe('ok');
  expect(at.do('stake-withdraw', { amount: '1' }, ['provider'])).toBe('too-many-unbondings');
});

test('two orders that were chosen for their transfers to have one id move money twice', () => {
  const at = new OrderWorld();
  at.stake('provider', 150);
  // Of 34 million orders, tried in a minute, the SHA-256 of these two gives the same 48 bits.
  for (const nonce of ['10687632', '20116197']) {
    const said = { audience: LEDGER, nonce, issuedAtMs: START_MS, expiresAtMs: START_MS + 60_000 };
    const signature = { ...said, signer: address('provider'), signature: 'unverified' };
    const order = { type: 'stake-withdraw', body: { amount: molt(50) }, signatures: [signature] } as const;
    expect(at.orders.applyBytes(encodeOrder(order), at.timeMs)).toBe(0);
  }
  expect(at.balance('unbonding', 'provider')).toBe(100n * MOLT);
  at.check();
  at.wait(7 * DAY_MS);
  expect(at.balance('available', 'provider')).toBe(100n * MOLT);
});
