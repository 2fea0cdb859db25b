// Shows that a lease pays by its last co-signed receipt, however often it is settled, until funds end.
import { MOLT, RATE_SCALE } from '@clawbernetes/kernel';
import { accrued, receiptHash, signReceipt } from '@clawbernetes/orders';
import { describe, expect, test } from 'vitest';
import { TRANSFER_BYTES } from '../../src/index.ts';
import { orderFault } from '../../src/orders/order-signature.ts';
import { encodeOrder } from '../../src/orders/order.ts';
import { address, cosigned, keyOf, molt, OrderWorld } from './order-world.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** 100 MOLT in 100 hours. */
const PER_HOUR = ((MOLT * RATE_SCALE) / 3600n).toString();

function world(): OrderWorld {
  const made = new OrderWorld();
  made.fundParties();
  return made;
}

function escrowOf(at: OrderWorld, agreement: string): string {
  return at.orders.agreement(agreement)?.escrow ?? '';
}

describe('the amount', () => {
  test('and its fee are the same for one settlement and for many', () => {
    const [often, once] = [world(), world()];
    const [first, second] = [
      often.leased({ rate: '777777777777777777777' }),
      once.leased({ rate: '777777777777777777777' }),
    ];
    for (let n = 1; n <= 20; n += 1) {
      often.wait(7001);
      expect(often.settle(often.receipt(first, n, n * 7001))).toBe('ok');
    }
    once.wait(20 * 7001);
    expect(once.settle(once.receipt(second, 20, 20 * 7001))).toBe('ok');
    expect(often.balance('held', 'provider')).toBe(once.balance('held', 'provider'));
    expect(often.balance('fees')).toBe(once.balance('fees'));
  });
});

describe('the fee', () => {
  test('of leases paid together is the sum of theirs, by the tier of the provider', () => {
    const at = world();
    at.stake('buyer', 100_000);
    at.stake('provider', 10_000 - 100);
    const leases = [at.leased({ amount: molt(1) }), at.leased({ amount: molt(1) })];
    at.wait(10_000);
    expect(at.settle(...leases.map((lease, index) => at.receipt(lease, 1, 5000 + 99 * index)))).toBe('ok');
    // 1 %: of 5000, and of 5099 rounded down.
    expect(at.balance('fees')).toBe(50n + 50n);
    expect(at.balance('held', 'provider')).toBe(10_099n - 100n);
  });
});

describe('receipts', () => {
  test('pay what they add, once, and become available after 24 hours', () => {
    const at = world();
    const agreement = at.leased();
    at.wait(10_000);
    const receipt = at.receipt(agreement, 1, 9000);
    expect(at.settle(receipt)).toBe('ok');
    expect(at.orders.agreement(agreement)?.paid).toBe(9000n);
    expect(at.orders.escrow(escrowOf(at, agreement))).toMatchObject({ state: 'funded', paid: 9000n });
    expect(at.settle(receipt)).toBe('ok');
    expect(at.orders.agreement(agreement)?.paid).toBe(9000n);
    at.wait(10_000);
    expect(at.settle(at.receipt(agreement, 7, 19_000))).toBe('ok');
    expect(at.orders.agreement(agreement)?.paid).toBe(19_000n);
    at.wait(DAY_MS);
    expect(at.balance('available', 'provider')).toBe(19_000n - 475n);
  });

  test('of the past, of another chain, or twice of one number are refused', () => {
    const at = world();
    const agreement = at.leased();
    at.wait(MINUTE_MS);
    const first = at.receipt(agreement, 1, 1000);
    const wrong = at.receipt(agreement, 1, 1000, { prevHash: 'cd'.repeat(32) });
    expect(at.settle(wrong)).toBe('receipt-chain-broken');
    expect(at.settle(at.receipt(agreement, 4, 4000))).toBe('ok');
    expect(at.settle(first)).toBe('receipt-out-of-order');
    expect(at.settle(at.receipt(agreement, 4, 5000))).toBe('receipt-conflict');
    const broken = at.receipt(agreement, 5, 5000, { prevHash: receiptHash(first) });
    expect(at.settle(broken)).toBe('receipt-chain-broken');
    expect(at.settle(at.receipt(agreement, 6, 3999))).toBe('receipt-amount-wrong');
  });

  test('count the rate and the time that has passed, no more', () => {
    const at = world();
    const agreement = at.leased();
    at.wait(MINUTE_MS);
    const more = at.receipt(agreement, 1, 1000, { cumulativeAmount: 1001n });
    expect(at.settle(more)).toBe('receipt-amount-wrong');
    expect(at.settle(at.receipt(agreement, 1, MINUTE_MS + 1))).toBe('receipt-time-wrong');
    const early = at.receipt(agreement, 1, 1000, { timeMs: at.timeMs + MINUTE_MS + 1 });
    expect(at.settle(early)).toBe('receipt-time-wrong');
    // The furthest that the clocks of the parties may be ahead.
    expect(at.settle({ ...early, timeMs: at.timeMs + MINUTE_MS })).toBe('ok');
  });

  test('are signed by both, and each signature is verified', () => {
    const at = world();
    at.wait(MINUTE_MS);
    const receipt = at.receipt(at.leased(), 1, 0);
    const body = { receipts: [cosigned(receipt)] };
    const written = encodeOrder({ type: 'agreement-settle', body, signatures: [] });
    expect(orderFault(written)).toBeUndefined();
    const [buyers, providers] = [keyOf('buyer'), keyOf('provider')].map((key) => signReceipt(key, receipt));
    const text = new TextDecoder().decode(written);
    for (const [theirs = '', others = ''] of [
      [buyers, providers],
      [providers, buyers],
    ])
      expect(orderFault(new TextEncoder().encode(text.replace(theirs, others)))).toBe('signature-forged');
  });

  test('of another ledger, other parties or no agreement are refused', () => {
    const at = world();
    const agreement = at.leased();
    at.wait(MINUTE_MS);
    const receipt = at.receipt(agreement, 1, 1000);
    expect(at.settle({ ...receipt, ledger: 'ledger-2' })).toBe('signature-foreign');
    expect(at.settle({ ...receipt, provider: address('other') })).toBe('signer-not-allowed');
    expect(at.settle({ ...receipt, agreement: at.id() })).toBe('agreement-not-found');
  });

  test('of many leases between the same two are paid by one transfer', () => {
    const at = world();
    const leases = [at.leased(), at.leased(), at.leased()];
    at.wait(MINUTE_MS);
    const booked: number[] = [];
    at.machine.watch({
      transfers: (bytes) => booked.push(bytes.length / TRANSFER_BYTES),
      expired: () => undefined,
    });
    expect(at.settle(...leases.map((lease) => at.receipt(lease, 1, 40_000)))).toBe('ok');
    // All that is paid, and its fees.
    expect(booked).toEqual([2]);
    expect(at.balance('held', 'provider')).toBe(120_000n - 3000n);
    for (const lease of leases) expect(at.orders.agreement(lease)?.paid).toBe(40_000n);
  });

  test('of leases between others, or twice of one, are not paid together', () => {
    const at = world();
    at.give('other', 200);
    const [mine, twin] = [at.leased(), at.leased()];
    at.wait(MINUTE_MS);
    const receipt = at.receipt(mine, 1, 1000);
    expect(at.settle(receipt, receipt)).toBe('receipts-differ');
    expect(at.settle(receipt, at.receipt(twin, 1, 1000))).toBe('ok');
    const terms = at.terms({ buyer: address('other'), releaser: address('other') });
    const escrow = terms.escrow;
    expect(at.do('escrow-create', terms, ['other'])).toBe('ok');
    expect(at.do('escrow-fund', { escrow }, ['other'])).toBe('ok');
    const theirs = at.id(at.timeMs, address('other'));
    const rate = '1000000000000000000';
    expect(at.do('agreement-open', { agreement: theirs, escrow, rate }, ['other', 'provider'])).toBe('ok');
    at.wait(MINUTE_MS);
    const foreign = at.receipt(theirs, 1, 1000, { buyer: address('other') });
    expect(at.settle(at.receipt(mine, 2, 2000), foreign)).toBe('receipts-differ');
  });

  test('that come to more than is locked are paid as far as it goes, and after a top-up the rest', () => {
    const at = world();
    const agreement = at.leased({ rate: PER_HOUR });
    at.wait(101 * HOUR_MS);
    const receipt = at.receipt(agreement, 1, 101 * HOUR_MS);
    expect(at.settle(receipt)).toBe('ok');
    expect(at.orders.agreement(agreement)?.paid).toBe(100n * MOLT);
    expect(at.do('agreement-top-up', { agreement, amount: molt(5) }, ['buyer'])).toBe('ok');
    expect(at.settle(receipt)).toBe('ok');
    expect(at.orders.agreement(agreement)?.paid).toBe(accrued(BigInt(PER_HOUR), 101 * HOUR_MS));
  });

  test('of which too many are held wait until the first are through', () => {
    const at = new OrderWorld({ settings: { maxOpen: 5000 } });
    at.fundParties();
    const agreement = at.leased();
    for (let n = 1; n <= 2000; n += 1) {
      at.timeMs += 10;
      at.orders.advance(at.timeMs);
      at.machine.advance(at.timeMs);
      const receipt = at.receipt(agreement, n, n * 10);
      if (n % 500 === 0) expect(at.settle(receipt)).toBe('ok');
      else expect(at.settleQuickly(receipt)).toBe('ok');
    }
    at.wait(10);
    expect(at.settle(at.receipt(agreement, 2001, 20_010))).toBe('too-many-claims');
    at.wait(DAY_MS);
    expect(at.settle(at.receipt(agreement, 2001, 20_010))).toBe('ok');
  });

  test('that come to next to nothing are paid together', () => {
    const at = new OrderWorld({ settings: { minEscrow: '1000' } });
    at.fundParties();
    const agreement = at.leased();
    at.wait(10_000);
    const settle = (n: number, activeMs: number): string => at.settle(at.receipt(agreement, n, activeMs));
    expect([settle(1, 10), settle(2, 20), settle(3, 999)]).toEqual([
      'ok',
      'payments-too-small',
      'payments-too-small',
    ]);
    const receipt = at.receipt(agreement, 2, 1000);
    // What was settled is not settled again, which takes no room.
    expect([at.settle(receipt), at.settle(receipt)]).toEqual(['ok', 'ok']);
    expect([settle(3, 1001), settle(3, 2000)]).toEqual(['payments-too-small', 'ok']);
    expect(at.orders.agreement(agreement)?.paid).toBe(2000n);
  });
});

describe('an agreement', () => {
  test('needs a funded escrow of its parties, both signatures, and fitting terms', () => {
    const at = world();
    const escrow = at.created();
    const body = { agreement: at.id(), escrow, rate: PER_HOUR };
    expect(at.do('agreement-open', body, ['buyer', 'provider'])).toBe('escrow-wrong-state');
    expect(at.do('escrow-fund', { escrow }, ['buyer'])).toBe('ok');
    expect(at.do('agreement-open', body, ['buyer'])).toBe('signature-missing');
    for (const windowMs of [999, 300_001])
      expect(at.do('agreement-open', { ...body, windowMs }, ['buyer', 'provider'])).toBe(
        'agreement-terms-invalid',
      );
    expect(at.do('agreement-open', { ...body, rate: '0' }, ['buyer', 'provider'])).toBe('amount-zero');
    const foreign = { ...body, agreement: at.id(at.timeMs, address('other')) };
    expect(at.do('agreement-open', foreign, ['buyer', 'provider'])).toBe('id-foreign');
    expect(at.do('agreement-open', body, ['buyer', 'provider'])).toBe('ok');
    expect(at.do('agreement-open', body, ['buyer', 'provider'])).toBe('id-used');
    const again = { ...body, agreement: at.id() };
    expect(at.do('agreement-open', again, ['buyer', 'provider'])).toBe('escrow-wrong-state');
  });

  test('is what settles its escrow, until one party closes it and the last receipt is in', () => {
    const at = world();
    const agreement = at.leased();
    const escrow = escrowOf(at, agreement);
    expect(at.do('escrow-release', { escrow }, ['buyer'])).toBe('escrow-streaming');
    expect(at.do('escrow-refund', { escrow }, ['provider'])).toBe('escrow-streaming');
    at.wait(MINUTE_MS);
    expect(at.do('agreement-close', { agreement }, ['other'])).toBe('signer-not-allowed');
    expect(at.do('agreement-close', { agreement }, ['buyer'])).toBe('ok');
    expect(at.do('agreement-close', { agreement }, ['provider'])).toBe('agreement-closed');
    expect(at.do('agreement-top-up', { agreement, amount: '1' }, ['buyer'])).toBe('agreement-closed');
    at.wait(HOUR_MS - 1);
    expect(at.settle(at.receipt(agreement, 1, MINUTE_MS))).toBe('ok');
    at.wait(1);
    expect(at.orders.escrow(escrow)).toMatchObject({ state: 'released', paid: 60_000n, remaining: 0n });
    expect(at.settle(at.receipt(agreement, 1, MINUTE_MS))).toBe('agreement-closed');
    expect(at.balance('available', 'buyer')).toBe(1000n * MOLT - 60_000n);
    at.wait(DAY_MS);
    at.wait(7 * DAY_MS);
    expect(at.orders.agreement(agreement)).toBeUndefined();
  });

  test('ends at once where both close it, and at the deadline of its escrow at the latest', () => {
    const at = world();
    const agreement = at.leased();
    expect(at.do('agreement-close', { agreement }, ['buyer', 'provider'])).toBe('ok');
    expect(at.orders.escrow(escrowOf(at, agreement))?.state).toBe('refunded');
    const other = at.leased();
    at.wait(30 * DAY_MS);
    expect(at.orders.agreement(other)?.state).toBe('closing');
    at.wait(HOUR_MS);
    expect(at.orders.agreement(other)?.state).toBe('closed');
  });

  test('goes on while a slice of what it paid is contested, newest payments first', () => {
    const at = world();
    const agreement = at.leased();
    const escrow = escrowOf(at, agreement);
    const reason = 'No output.';
    at.wait(MINUTE_MS);
    expect(at.do('escrow-dispute', { escrow, reason }, ['buyer'])).toBe('dispute-window-over');
    expect(at.settle(at.receipt(agreement, 1, 40_000))).toBe('ok');
    expect(at.settle(at.receipt(agreement, 2, 60_000))).toBe('ok');
    expect(at.do('escrow-dispute', { escrow, amount: '30000', reason }, ['buyer'])).toBe('ok');
    expect(at.orders.claims(escrow).map(({ gross, contested }) => [gross, contested])).toEqual([
      [30_000n, false],
      [20_000n, true],
      [10_000n, true],
    ]);
    at.wait(MINUTE_MS);
    expect(at.settle(at.receipt(agreement, 3, 120_000))).toBe('ok');
    const split = { escrow, toBuyer: '25000', toProvider: '5000' };
    expect(at.do('escrow-resolve', split, ['one', 'two'])).toBe('ok');
    expect(at.orders.escrow(escrow)).toMatchObject({ state: 'funded', paid: 95_000n, refunded: 25_000n });
    at.wait(DAY_MS);
    expect(at.do('escrow-dispute', { escrow, reason }, ['buyer'])).toBe('dispute-window-over');
    expect(at.settle(at.receipt(agreement, 4, 130_000))).toBe('ok');
    expect(at.do('escrow-dispute', { escrow, reason }, ['buyer'])).toBe('ok');
    expect(at.do('agreement-close', { agreement }, ['buyer', 'provider'])).toBe('ok');
    expect(at.orders.escrow(escrow)?.state).toBe('disputed');
    const rest = { escrow, toBuyer: '0', toProvider: '10000' };
    expect(at.do('escrow-resolve', rest, ['one', 'two'])).toBe('ok');
    expect(at.orders.escrow(escrow)?.state).toBe('resolved');
  });
});
