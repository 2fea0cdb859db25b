// Shows that the server's and the browser's cryptography give the same bytes and the same verdicts, also for
// signatures made to divide them.
import { ed25519 } from '@noble/curves/ed25519.js';
import { bytesToNumberLE, numberToBytesLE } from '@noble/curves/utils.js';
import { hex } from '@scure/base';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as browserCrypto from '../../src/browser/browser-crypto.ts';
import { generateKeyPair, verifyRaw } from '../../src/index.ts';
import * as nodeCrypto from '../../src/node/node-crypto.ts';
import { isWeakPoint } from '../../src/weak-point.ts';

const { Point } = ed25519;
const key32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
const message = fc.uint8Array({ maxLength: 100 });

test('keys, signatures, hashes and secrets are the same bytes', () => {
  fc.assert(
    fc.property(key32, key32, message, (privateKey, other, text) => {
      const answers = [nodeCrypto, browserCrypto].map((side) => ({
        publicKey: side.ed25519PublicKey(privateKey),
        signature: side.ed25519Sign(privateKey, text),
        exchange: side.x25519Shared(privateKey, side.x25519PublicKey(other)),
        hashes: [side.sha256(text, other), side.sha512(text, other)],
        codes: [side.hmacSha256(other, text), side.hmacSha512(other, text)],
        derived: side.pbkdf2Sha256(other, text, 3, 40),
        sealed: side.sealChaCha20Poly1305(privateKey, other.subarray(0, 12), text, other),
      }));
      expect(answers[0]).toEqual(answers[1]);
    }),
    { numRuns: 30 },
  );
});

test('argon2id gives the same key', async () => {
  const [password, salt] = [new TextEncoder().encode('correct horse'), new Uint8Array(16).fill(7)];
  const cost = { memoryKib: 64, passes: 2, lanes: 2 };
  const node = await nodeCrypto.argon2id(password, salt, cost, 32);
  expect(await browserCrypto.argon2id(password, salt, cost, 32)).toEqual(node);
});

/** The eight points whose order divides 8. */
function smallOrderPoints(): (typeof Point.BASE)[] {
  const generator = Point.fromHex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a');
  const points = [Point.ZERO];
  while (points.length < 8) points.push((points.at(-1) ?? Point.ZERO).add(generator));
  return points;
}

describe('weak keys', () => {
  test('every point of small order is one, in every spelling', () => {
    const encodings = smallOrderPoints().map((point) => point.toBytes());
    expect(new Set(encodings.map((each) => hex.encode(each))).size).toBe(8);
    for (const encoding of encodings) {
      const otherSign = encoding.map((byte, index) => (index === 31 ? byte ^ 0x80 : byte));
      expect([isWeakPoint(encoding), isWeakPoint(otherSign)]).toEqual([true, true]);
    }
  });

  test('so is every y that is not reduced, and no honest key', () => {
    for (let low = 0xed; low <= 0xff; low += 1) {
      const y = Uint8Array.from({ length: 32 }, (_, index) => (index === 0 ? low : 0xff));
      expect(isWeakPoint(y)).toBe(true);
      expect(isWeakPoint(y.with(31, 0x7f))).toBe(true);
    }
    fc.assert(
      fc.property(key32, (privateKey) => {
        expect(isWeakPoint(nodeCrypto.ed25519PublicKey(privateKey))).toBe(false);
      }),
    );
  });

  test('a signature that holds for every message under such a key is refused', () => {
    const weak = Point.ZERO.toBytes();
    const forged = Uint8Array.from([...Point.ZERO.toBytes(), ...new Uint8Array(32)]);
    expect(browserCrypto.ed25519Verify(weak, forged, new Uint8Array(3))).toBe(true);
    expect(verifyRaw(weak, forged, new Uint8Array(3))).toBe(false);
  });
});

/** Signs with a nonce and points of the signer's choice, as only a dishonest signer does. */
function craftedSignature(
  privateKey: Uint8Array,
  text: Uint8Array,
  { nonce, torsionOfR = Point.ZERO, torsionOfKey = Point.ZERO }: Crafting,
): { readonly key: Uint8Array; readonly signature: Uint8Array } {
  const { scalar, point } = ed25519.utils.getExtendedPublicKey(privateKey);
  const key = point.add(torsionOfKey).toBytes();
  const r = Point.BASE.multiplyUnsafe(nonce).add(torsionOfR).toBytes();
  const k = Point.Fn.create(bytesToNumberLE(nodeCrypto.sha512(r, key, text)));
  const s = numberToBytesLE(Point.Fn.create(nonce + k * scalar), 32);
  return { key, signature: Uint8Array.from([...r, ...s]) };
}

interface Crafting {
  readonly nonce: bigint;
  readonly torsionOfR?: typeof Point.BASE;
  readonly torsionOfKey?: typeof Point.BASE;
}

describe('signatures made to divide servers and browsers', () => {
  const { privateKey } = generateKeyPair();
  const text = new TextEncoder().encode('divide and conquer');

  test('an R with a component of small order is refused by both', () => {
    const verdicts = smallOrderPoints().map((torsionOfR) => {
      const { key, signature } = craftedSignature(privateKey, text, { nonce: 123_456_789n, torsionOfR });
      const node = nodeCrypto.ed25519Verify(key, signature, text);
      expect(browserCrypto.ed25519Verify(key, signature, text)).toBe(node);
      // The library's own verify takes them all, which is why it is not used.
      expect(ed25519.verify(signature, text, key)).toBe(true);
      return node;
    });
    expect(verdicts).toEqual([true, ...Array.from({ length: 7 }, () => false)]);
  });

  test('both judge alike a key with such a component', () => {
    const verdicts = smallOrderPoints().flatMap((torsionOfKey) =>
      Array.from({ length: 16 }, (_, index) => {
        const spoken = Uint8Array.of(index);
        const { key, signature } = craftedSignature(privateKey, spoken, { nonce: 77n, torsionOfKey });
        const node = nodeCrypto.ed25519Verify(key, signature, spoken);
        expect(browserCrypto.ed25519Verify(key, signature, spoken)).toBe(node);
        return node;
      }),
    );
    expect(new Set(verdicts)).toEqual(new Set([true, false]));
  });

  // OpenSSL refuses the neutral element as R and the equation does not, so it is refused before either.
  test('a weak R is refused whoever verifies', () => {
    const { key, signature } = craftedSignature(privateKey, text, { nonce: 0n });
    expect(browserCrypto.ed25519Verify(key, signature, text)).toBe(true);
    expect(verifyRaw(key, signature, text)).toBe(false);
    for (const torsionOfR of smallOrderPoints()) {
      const crafted = craftedSignature(privateKey, text, { nonce: 0n, torsionOfR });
      expect(verifyRaw(crafted.key, crafted.signature, text)).toBe(false);
    }
  });
});

test('both answer false for what is no signature', () => {
  fc.assert(
    fc.property(key32, fc.uint8Array({ minLength: 64, maxLength: 64 }), message, (key, signature, text) => {
      expect(nodeCrypto.ed25519Verify(key, signature, text)).toBe(false);
      expect(browserCrypto.ed25519Verify(key, signature, text)).toBe(false);
    }),
    { numRuns: 50 },
  );
});
