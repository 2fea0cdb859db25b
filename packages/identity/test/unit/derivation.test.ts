// Shows that keys are derived as SLIP-0010 publishes for both curves, that the hierarchy starts at the Solana
// CLI's default path, and that BIP-39 phrases are read with care.
import { ripemd160 } from '@noble/hashes/legacy.js';
import { hex } from '@scure/base';
import { seededRandom } from '@clawbernetes/kernel';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressOf, keyPairOf } from '../../src/index.ts';
import { sha256 } from '../../src/node/node-crypto.ts';
import {
  childKey,
  createEntropy,
  deriveIdentity,
  deriveKey,
  entropyOf,
  identityPath,
  masterKey,
  parsePath,
  phraseOf,
  publicKeyOf,
  seedOf,
  type DerivationCurve,
} from '../../src/wallet/index.ts';
import { bytes, readVectors, vectorsAbsent } from './vectors.ts';

interface Slip10 {
  readonly curve: DerivationCurve;
  readonly vector: number;
  readonly seed: string;
  readonly chain: readonly {
    readonly path: string;
    readonly fingerprint: string;
    readonly chainCode: string;
    readonly private: string;
    readonly public: string;
  }[];
}

const slip10 = readVectors<readonly Slip10[]>('slip-0010.json', []);

describe.skipIf(vectorsAbsent)(`SLIP-0010${vectorsAbsent}`, () => {
  test('covers both curves', () => {
    expect(new Set(slip10.map(({ curve }) => curve))).toEqual(new Set(['ed25519', 'curve25519']));
  });

  test.each(slip10)('$curve, vector $vector', ({ curve, seed, chain }) => {
    let parent: Uint8Array = new Uint8Array();
    for (const { path, fingerprint, chainCode, private: privateKey, public: publicKey } of chain) {
      const key = deriveKey(bytes(seed), path, curve);
      const serialized = `00${hex.encode(publicKeyOf(key))}`;
      expect([path, hex.encode(key.privateKey)]).toEqual([path, privateKey]);
      expect([path, hex.encode(key.chainCode)]).toEqual([path, chainCode]);
      expect([path, serialized]).toEqual([path, publicKey]);
      expect(parent.length === 0 ? '00000000' : hex.encode(ripemd160(sha256(parent)).subarray(0, 4))).toBe(
        fingerprint,
      );
      parent = bytes(serialized);
    }
  });
});

test('a key shows none of its secrets when printed', () => {
  expect(JSON.stringify(masterKey(new Uint8Array(32)))).toBe('{"curve":"ed25519"}');
});

test('only hardened paths of limited depth are taken', () => {
  expect(parsePath("m/44'/501h/0H/2147483647'")).toEqual([44, 501, 0, 2_147_483_647]);
  const wrong = ['', "44'", 'm/0', "m/-1'", "m/2147483648'", "m//0'", "m/0''", `m${"/0'".repeat(11)}`];
  for (const path of wrong) {
    expect(() => parsePath(path)).toThrow(expect.objectContaining({ code: 'invalid-path' }));
  }
  for (const index of [-1, 0.5, 2 ** 31]) {
    expect(() => childKey(masterKey(new Uint8Array(16)), index)).toThrow(/hardened/);
  }
  expect(() => masterKey(new Uint8Array(15))).toThrow(/16 to 64 bytes/);
});

describe('hierarchy', () => {
  const entropy = entropyOf('abandon '.repeat(11) + 'about');
  const seed = seedOf(entropy);

  test('the first organisation is the address that Solana wallets show for the phrase', () => {
    expect(identityPath({ org: 0 })).toBe("m/44'/501'/0'/0'");
    expect(addressOf(deriveIdentity(seed, { org: 0 }).publicKey)).toBe(
      'HAgk14JpMQLgt6rVgv7cBQFJWFto5Dqxi472uT3DKpqk',
    );
  });

  test('agents and sessions lie below, and can be made from the level above them', () => {
    expect(identityPath({ org: 1, agent: 2, session: 3 })).toBe("m/44'/501'/1'/0'/2'/3'");
    const agent = deriveKey(seed, identityPath({ org: 1, agent: 2 }));
    expect(deriveIdentity(seed, { org: 1, agent: 2, session: 3 }).publicKey).toEqual(
      keyPairOf(childKey(agent, 3).privateKey).publicKey,
    );
  });

  test('different places never share a key', () => {
    const place = fc.record({ org: fc.nat(3), agent: fc.nat(3), session: fc.nat(3) });
    fc.assert(
      fc.property(place, place, (left, right) => {
        const same = JSON.stringify(left) === JSON.stringify(right);
        const [one, two] = [left, right].map((each) => addressOf(deriveIdentity(seed, each).publicKey));
        expect(one === two).toBe(same);
      }),
      { numRuns: 30 },
    );
  });
});

describe('BIP-39', () => {
  // https://github.com/trezor/python-mnemonic/blob/master/vectors.json, the seed without a passphrase.
  test('published words', () => {
    expect(phraseOf(bytes('7f'.repeat(16)))).toBe(
      'legal winner thank year wave sausage worth useful legal winner thank yellow',
    );
    expect(phraseOf(bytes('ff'.repeat(32)))).toBe(`${'zoo '.repeat(23)}vote`);
  });

  test('a phrase reads back, whatever its case and spaces', () => {
    fc.assert(
      fc.property(fc.constantFrom(12 as const, 24 as const), fc.nat(), (words, seed) => {
        const entropy = createEntropy(words, seededRandom(seed));
        const phrase = phraseOf(entropy);
        expect(phrase.split(' ')).toHaveLength(words);
        expect(entropyOf(`  ${phrase.toUpperCase().replaceAll(' ', '\n ')} `)).toEqual(entropy);
      }),
    );
  });

  test.each([
    ['abandon abandon', /it has 2 words instead of 12, 15, 18, 21, 24/],
    [`${'abandon '.repeat(10)}clawbernetes about`, /not in the English word list: word 11/],
    ['abandon '.repeat(12), /checksum/],
  ])('a mistake is explained without repeating a word: %#', (phrase, says) => {
    expect(() => entropyOf(phrase)).toThrow(says);
    expect(() => entropyOf(phrase)).not.toThrow(/abandon|clawbernetes/);
    expect(() => entropyOf(phrase)).toThrow(expect.objectContaining({ code: 'invalid-phrase' }));
  });
});
