// Shows that what others wrote is read strictly, each fault with its result, and that every result has a
// number and a sentence.
import { addressOf, generateKeyPair, keyNames } from '@clawbernetes/identity';
import { systemRandom } from '@clawbernetes/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ORDER_BODIES,
  ORDER_RESULTS,
  orderResultName,
  orderText,
  readEnvelope,
  refusalOf,
  signOrder,
} from '../../src/index.ts';

const KEY = generateKeyPair(systemRandom);
const ADDRESS = addressOf(KEY.publicKey);
const FACTS = { ledger: 'gw-1', nonce: 7, issuedAtMs: 1, expiresAtMs: 2 };
const ID = '0a'.repeat(16);

function refusal(read: () => unknown): string | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    return refusalOf(error) ?? String(error);
  }
}

describe('an amount', () => {
  it.each([
    ['1e3', 'amount-malformed'],
    ['１', 'amount-malformed'],
    ['-1', 'amount-malformed'],
    ['+1', 'amount-malformed'],
    ['1.0', 'amount-malformed'],
    ['0.0000000001', 'amount-malformed'],
    ['01', 'amount-malformed'],
    [' 1', 'amount-malformed'],
    ['0x10', 'amount-malformed'],
    ['', 'amount-malformed'],
    [1, 'amount-malformed'],
    ['9'.repeat(65), 'amount-malformed'],
    ['0', 'amount-zero'],
    [(2n ** 63n).toString(), 'amount-too-large'],
    [(2n ** 128n).toString(), 'amount-too-large'],
    ['1', undefined],
    [(2n ** 63n - 1n).toString(), undefined],
  ])('%j: %s', (amount, code) => {
    expect(refusal(() => ORDER_BODIES.faucet({ amount }))).toBe(code);
  });
});

describe('an envelope', () => {
  const order = { type: 'faucet', body: { amount: '5' } };
  const signed = { ...order, signatures: [signOrder(KEY, order, FACTS)] };

  it('is read as it was written', () => {
    expect(readEnvelope(JSON.parse(orderText(signed)))).toEqual(signed);
    expect(signed.signatures).toMatchObject([
      { audience: 'gw-1', nonce: '7', issuedAtMs: 1, expiresAtMs: 2, signer: ADDRESS },
    ]);
  });

  const [signature] = signed.signatures;
  it.each<[string, string, unknown]>([
    ['no object', 'order-malformed', []],
    ['one field more', 'order-malformed', { ...signed, more: 1 }],
    ['no signatures', 'order-malformed', order],
    ['41 signatures', 'order-malformed', { ...signed, signatures: Array(41).fill(signature) }],
    [
      'a nonce of 17 digits',
      'order-malformed',
      { ...signed, signatures: [{ ...signature, nonce: '1'.repeat(17) }] },
    ],
    ['an unknown type', 'order-unknown', { ...signed, type: 'mint' }],
    ['a type of every object', 'order-unknown', { ...signed, type: 'constructor' }],
    [
      'another name of the key',
      'address-malformed',
      { ...signed, signatures: [{ ...signature, signer: keyNames(KEY.publicKey).did }] },
    ],
  ])('with %s is refused with %s', (_, code, envelope) => {
    expect(refusal(() => readEnvelope(envelope))).toBe(code);
  });
});

describe('a body', () => {
  const away = { withdrawal: ID, amount: '1', to: ADDRESS, speed: 'normal' };

  it('has what may be left out filled in', () => {
    const escrow = { escrow: ID, buyer: ADDRESS, provider: ADDRESS, amount: '1', release: 'both' };
    expect(ORDER_BODIES['escrow-create'](escrow)).toMatchObject({
      amount: 1n,
      onDeadline: 'refund',
      slashable: 0n,
    });
  });

  it.each<[string, string, object]>([
    ['an id in capitals', 'id-malformed', { withdrawal: ID.toUpperCase() }],
    ['the address of nobody', 'address-malformed', { to: '1'.repeat(32) }],
    ['an address with a blank', 'address-malformed', { to: `${ADDRESS} ` }],
    ['another speed', 'order-malformed', { speed: 'soon' }],
    ['a field too many', 'order-malformed', { note: 'x' }],
  ])('with %s is refused with %s', (_, code, change) => {
    expect(refusal(() => ORDER_BODIES.withdraw({ ...away, ...change }))).toBe(code);
    expect(refusal(() => ORDER_BODIES.withdraw(away))).toBeUndefined();
  });

  it.each(['', 'x'.repeat(1001), 'a\nb', 'a\u007Fb', 5])('has a text that is printable, not %j', (reason) => {
    expect(refusal(() => ORDER_BODIES['escrow-dispute']({ escrow: ID, reason }))).toBe('order-malformed');
  });

  it('of whatever JSON comes is read or refused, and nothing else', () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.values(ORDER_BODIES)), fc.jsonValue(), (read, value) => {
        const code = refusal(() => read(value));
        expect(code === undefined || Object.hasOwn(ORDER_RESULTS, code)).toBe(true);
      }),
    );
  });
});

it('every result has a number of its own and says what to do', () => {
  for (const [name, { code, says }] of Object.entries(ORDER_RESULTS)) {
    expect(orderResultName(code)).toBe(name);
    expect(code).toBeLessThan(256);
    expect(says).toMatch(/\.$/);
  }
});
