// Shows that a signed statement holds for its domain, audience, time and exact content, and for nothing else.
import { seededRandom, type Json } from '@clawbernetes/kernel';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressOf, generateKeyPair, keyNames, signStatement, verifyStatement } from '../../src/index.ts';

const key = generateKeyPair(seededRandom(1));
const stranger = generateKeyPair(seededRandom(2));
const content = {
  body: { to: 'x', amount: '1000000000' },
  audience: 'ledger-1',
  nonce: '7',
  issuedAtMs: 1000,
  expiresAtMs: 61_000,
};
const signed = signStatement(key, 'transfer', content);
const at = { domain: 'transfer', audience: 'ledger-1', nowMs: 2000 };

const status = (outside: unknown, where = at): string => verifyStatement(outside, where).status;

test('is valid as signed, and says who signed', () => {
  expect(verifyStatement(JSON.parse(JSON.stringify(signed)), at)).toEqual({
    status: 'valid',
    publicKey: key.publicKey,
    statement: content,
  });
});

describe('is refused', () => {
  test('for another domain or audience, too late, or too early', () => {
    expect(status(signed, { ...at, domain: 'withdrawal' })).toBe('forged');
    expect(status(signed, { ...at, audience: 'ledger-2' })).toBe('foreign');
    expect(status(signed, { ...at, nowMs: 60_999 })).toBe('valid');
    expect(status(signed, { ...at, nowMs: 61_000 })).toBe('expired');
    expect(status({ ...signed }, { ...at, nowMs: 0 })).toBe('valid');
    const future = signStatement(key, 'transfer', { ...content, issuedAtMs: 60_900 });
    expect(status(future, { ...at, nowMs: 100 })).toBe('not-yet-valid');
  });

  test.each([
    ['the amount', { body: { to: 'x', amount: '1000000001' } }],
    ['the nonce', { nonce: '8' }],
    ['the audience', { audience: 'ledger-2' }],
    ['the expiry', { expiresAtMs: 61_001 }],
    ['the issue', { issuedAtMs: 999 }],
    ['the signer', { signer: addressOf(stranger.publicKey) }],
    ['the signature', { signature: signStatement(stranger, 'transfer', content).signature }],
    ['its encoding', { signature: `${signed.signature}=` }],
  ])('after a change of %s', (_what, change) => {
    expect(status({ ...signed, ...change })).toBe('forged');
  });

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['text', 'x'],
    ['a list', []],
    ['a field too many', { ...signed, note: '' }],
    ['a field too few', { ...signed, nonce: undefined }],
    ['a number as nonce', { ...signed, nonce: 7 }],
    ['an expiry before its issue', { ...signed, expiresAtMs: 1000 }],
    ['a fraction of a millisecond', { ...signed, expiresAtMs: 61_000.5 }],
    ['another name of the signer', { ...signed, signer: keyNames(key.publicKey).peerId }],
    ['a body beyond limits', { ...signed, body: 'x'.repeat(70_000) }],
    ['a lone surrogate', { ...signed, body: '\ud800' }],
  ])('where it is %s', (_what, outside) => {
    expect(status(outside)).toBe('malformed');
  });

  test('by whoever gets to sign it: such a one is not made', () => {
    for (const change of [
      { nonce: '' },
      { audience: '' },
      { expiresAtMs: 1000 },
      { body: 'x'.repeat(70_000) },
    ]) {
      expect(() => signStatement(key, 'transfer', { ...content, ...change } as typeof content)).toThrow(
        expect.objectContaining({ code: 'invalid-statement' }),
      );
    }
  });
});

test('any JSON can be stated, and its members may come in any order', () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'grapheme' }), (value) => {
      const statement = signStatement(key, 'any', {
        ...content,
        body: JSON.parse(JSON.stringify(value)) as Json,
      });
      const reversed = Object.fromEntries(Object.entries(statement).toReversed());
      expect(status(JSON.parse(JSON.stringify(reversed)), { ...at, domain: 'any' })).toBe('valid');
    }),
  );
});
