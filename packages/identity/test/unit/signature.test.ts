// Shows that signatures agree with RFC 8032 and never serve a second purpose.
import { seededRandom } from '@clawbernetes/kernel';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { generateKeyPair, keyPairOf, sign, verify } from '../../src/index.ts';

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));

describe('keys', () => {
  test('the public key follows from the private one (RFC 8032, 7.1, test 1)', () => {
    const pair = keyPairOf(hex('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60'));
    expect(Buffer.from(pair.publicKey).toString('hex')).toBe(
      'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    );
  });

  test('a key of another length is refused', () => {
    expect(() => keyPairOf(new Uint8Array(31))).toThrow(/32 bytes; this one has 31/);
  });

  test('the private key does not slip into JSON', () => {
    expect(Object.keys(generateKeyPair())).toEqual(['publicKey']);
  });
});

describe('domain separation', () => {
  const pair = generateKeyPair(seededRandom(1));
  const part = fc.oneof(fc.string(), fc.uint8Array({ maxLength: 20 }));

  test('a signature verifies for its own domain and parts only', () => {
    fc.assert(
      fc.property(fc.array(part, { maxLength: 4 }), fc.array(part, { maxLength: 4 }), (parts, others) => {
        const signature = sign(pair.privateKey, 'a', ...parts);
        const same =
          JSON.stringify(parts.map((each) => Buffer.from(each).toString('hex'))) ===
          JSON.stringify(others.map((each) => Buffer.from(each).toString('hex')));
        expect(verify(pair.publicKey, signature, 'a', ...parts)).toBe(true);
        expect(verify(pair.publicKey, signature, 'b', ...parts)).toBe(false);
        expect(verify(pair.publicKey, signature, 'a', ...others)).toBe(same);
      }),
    );
  });

  test('garbage keys and signatures are false, not errors', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), fc.uint8Array({ maxLength: 70 }), (key, signature) => {
        expect(verify(key, signature, 'a')).toBe(false);
      }),
    );
  });
});
