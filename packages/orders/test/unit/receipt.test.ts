// Shows that what is owed depends on the active time alone, that a receipt has one text and one hash, and
// that each receipt which does not follow is refused with its reason.
import { addressOf, generateKeyPair } from '@clawbernetes/identity';
import { RATE_SCALE, systemRandom } from '@clawbernetes/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  accrued,
  affordableMs,
  checkReceipt,
  FIRST_PREV_HASH,
  isReceiptSignedBy,
  readReceipt,
  receiptHash,
  receiptText,
  refusalOf,
  signOrder,
  signReceipt,
  type LastReceipt,
  type Receipt,
} from '../../src/index.ts';

const BUYER = generateKeyPair(systemRandom);
const PROVIDER = generateKeyPair(systemRandom);
/** One base unit a ms, so that amounts are times. */
const TERMS = { rate: 1000n * RATE_SCALE, originMs: 0 };
const NOW_MS = 100_000;

function receiptOf(activeMs: number, change: Partial<Receipt> = {}): Receipt {
  return {
    ledger: 'gw-1',
    agreement: '01'.repeat(16),
    buyer: addressOf(BUYER.publicKey),
    provider: addressOf(PROVIDER.publicKey),
    n: 1,
    prevHash: FIRST_PREV_HASH,
    meters: { activeMs },
    cumulativeAmount: accrued(TERMS.rate, activeMs),
    logRoot: '0'.repeat(64),
    health: 'ok',
    timeMs: NOW_MS,
    ...change,
  };
}

describe('the amount', () => {
  it('of any rate and time is independent of how often it is settled', () => {
    const rates = fc.bigInt(1n, 10n ** 30n);
    fc.assert(
      fc.property(rates, fc.array(fc.nat(100_000_000), { minLength: 1 }), (rate, steps) => {
        let [paid, activeMs] = [0n, 0];
        for (const step of steps) {
          activeMs += step;
          paid += accrued(rate, activeMs) - paid;
        }
        expect(paid).toBe((rate * BigInt(activeMs)) / (1000n * RATE_SCALE));
      }),
    );
  });

  it('reaches exactly as far as it pays', () => {
    fc.assert(
      fc.property(fc.bigInt(1n, 10n ** 30n), fc.bigInt(0n, 10n ** 15n), (rate, amount) => {
        const ms = affordableMs(rate, amount);
        if (ms === Number.MAX_SAFE_INTEGER) return;
        expect(accrued(rate, ms)).toBeLessThanOrEqual(amount);
        expect(accrued(rate, ms + 1)).toBeGreaterThan(amount);
      }),
    );
  });
});

describe('a receipt', () => {
  const meters = { activeMs: 5, gpuMs: 2n ** 62n, bytesOut: 0n };

  it('is read back as it was written, meters that are left out included', () => {
    const receipt = receiptOf(5, { meters });
    expect(readReceipt(JSON.parse(receiptText(receipt)))).toEqual(receipt);
    expect(receiptText(receipt)).toContain(
      '"meters":{"activeMs":5,"bytesOut":"0","gpuMs":"4611686018427387904"}',
    );
  });

  it('has a hash that covers each of its fields', () => {
    const changes: Partial<Receipt>[] = [
      { ledger: 'gw-2' },
      { agreement: '02'.repeat(16) },
      { buyer: addressOf(PROVIDER.publicKey) },
      { provider: addressOf(BUYER.publicKey) },
      { n: 2 },
      { prevHash: '1'.repeat(64) },
      { meters },
      { cumulativeAmount: 6n },
      { logRoot: '1'.repeat(64) },
      { health: 'failed' },
      { timeMs: 1 },
    ];
    expect(changes.flatMap(Object.keys).toSorted()).toEqual(Object.keys(receiptOf(5)).toSorted());
    const hashes = [{}, ...changes].map((change) => receiptHash(receiptOf(5, change)));
    expect(new Set(hashes).size).toBe(changes.length + 1);
  });

  it('is signed by whoever holds the key, over nothing else', () => {
    const receipt = receiptOf(5);
    const signature = signReceipt(PROVIDER, receipt);
    expect(isReceiptSignedBy(receipt.provider, signature, receipt)).toBe(true);
    expect(isReceiptSignedBy(receipt.buyer, signature, receipt)).toBe(false);
    expect(isReceiptSignedBy(receipt.provider, signature, receiptOf(6))).toBe(false);
    const facts = { ledger: 'gw-1', nonce: 1, issuedAtMs: 0, expiresAtMs: NOW_MS };
    const order = { type: 'agreement-settle', body: { receipt: receiptText(receipt) } };
    expect(isReceiptSignedBy(receipt.provider, signOrder(PROVIDER, order, facts).signature, receipt)).toBe(
      false,
    );
  });
});

describe('of receipts', () => {
  const last = checkReceipt(TERMS, receiptOf(5000, { n: 3, prevHash: '1'.repeat(64) }), NOW_MS);

  function refusal(receipt: Receipt, before?: LastReceipt): string | undefined {
    try {
      checkReceipt(before ? { ...TERMS, last: before } : TERMS, receipt, NOW_MS);
      return undefined;
    } catch (error) {
      return refusalOf(error) ?? String(error);
    }
  }

  it.each<[string, Receipt, LastReceipt?]>([
    ['the first', receiptOf(5000)],
    ['the next', receiptOf(6000, { n: 4, prevHash: last.hash }), last],
    ['one that skips some', receiptOf(6000, { n: 9, prevHash: '2'.repeat(64) }), last],
    ['the same again', receiptOf(5000, { n: 3, prevHash: '1'.repeat(64) }), last],
    ['one without more active time', receiptOf(5000, { n: 4, prevHash: last.hash }), last],
    ['one that is a minute ahead', receiptOf(5000, { timeMs: NOW_MS + 60_000 })],
    ['one that was active all the time', receiptOf(NOW_MS)],
  ])('%s passes', (_, receipt, before) => {
    expect(refusal(receipt, before)).toBeUndefined();
  });

  it.each<[string, string, Receipt, LastReceipt?]>([
    ['older', 'receipt-out-of-order', receiptOf(5000, { n: 2 }), last],
    ['another of its number', 'receipt-conflict', receiptOf(5001, { n: 3 }), last],
    ['of another chain', 'receipt-chain-broken', receiptOf(6000, { n: 4 }), last],
    ['a first with one before it', 'receipt-chain-broken', receiptOf(5000, { prevHash: '1'.repeat(64) })],
    ['of less', 'receipt-amount-wrong', receiptOf(4999, { n: 4, prevHash: last.hash }), last],
    ['of more than its time costs', 'receipt-amount-wrong', receiptOf(5000, { cumulativeAmount: 5001n })],
    ['further ahead', 'receipt-time-wrong', receiptOf(5000, { timeMs: NOW_MS + 60_001 })],
    ['active for longer than it was', 'receipt-time-wrong', receiptOf(NOW_MS + 1)],
  ])('one %s is refused with %s', (_, code, receipt, before) => {
    expect(refusal(receipt, before)).toBe(code);
  });
});
