// Shows that Ed25519, X25519 and ChaCha20-Poly1305 judge every Wycheproof vector as published, on servers and
// in browsers alike, and that both sides agree where the vectors leave it open.
import { hex } from '@scure/base';
import { describe, expect, test } from 'vitest';
import * as browserCrypto from '../../src/browser/browser-crypto.ts';
import * as nodeCrypto from '../../src/node/node-crypto.ts';
import { verifyRaw } from '../../src/index.ts';
import { bytes, readVectors, vectorsAbsent } from './vectors.ts';

const SIDES: readonly (readonly [string, typeof nodeCrypto])[] = [
  ['node:crypto', nodeCrypto],
  ['noble', browserCrypto],
];

interface Case {
  readonly tcId: number;
  readonly flags: readonly string[];
  readonly result: 'valid' | 'invalid' | 'acceptable';
}

interface Wycheproof<Group> {
  readonly numberOfTests: number;
  readonly testGroups: readonly Group[];
}

const NONE = { numberOfTests: 0, testGroups: [] };

interface SignatureGroup {
  readonly publicKey: { readonly pk: string };
  readonly tests: readonly (Case & { readonly msg: string; readonly sig: string })[];
}

describe.skipIf(vectorsAbsent)(`Ed25519${vectorsAbsent}`, () => {
  const vectors = readVectors<Wycheproof<SignatureGroup>>('wycheproof_ed25519_test.json', NONE);
  const cases = vectors.testGroups.flatMap(({ publicKey: { pk }, tests }) =>
    tests.map((each) => ({ ...each, pk })),
  );

  test.each(SIDES)('%s', (_name, { ed25519Verify }) => {
    const wrong = cases.filter(
      ({ pk, sig, msg, result }) =>
        (sig.length === 128 && ed25519Verify(bytes(pk), bytes(sig), bytes(msg))) !== (result === 'valid'),
    );
    expect(cases).toHaveLength(151);
    expect(wrong).toEqual([]);
  });

  test('verifyRaw', () => {
    const wrong = cases.filter(
      ({ pk, sig, msg, result }) => verifyRaw(bytes(pk), bytes(sig), bytes(msg)) !== (result === 'valid'),
    );
    expect(wrong).toEqual([]);
  });
});

interface ExchangeGroup {
  readonly tests: readonly (Case & {
    readonly public: string;
    readonly private: string;
    readonly shared: string;
  })[];
}

describe.skipIf(vectorsAbsent)(`X25519${vectorsAbsent}`, () => {
  const vectors = readVectors<Wycheproof<ExchangeGroup>>('wycheproof_x25519_test.json', NONE);
  const cases = vectors.testGroups.flatMap(({ tests }) => tests);

  // Acceptable are keys on the twist, non-canonical ones and those of small order. RFC 7748 takes the first
  // two; the last give an all-zero secret, which both sides refuse.
  test.each(SIDES)('%s: as published, and only all-zero secrets are refused', (_name, { x25519Shared }) => {
    expect(cases).toHaveLength(518);
    const refused = cases.filter((each) => {
      const shared = x25519Shared(bytes(each.private), bytes(each.public));
      if (shared) expect(hex.encode(shared), `case ${each.tcId}`).toBe(each.shared);
      return !shared;
    });
    expect(refused.every(({ result }) => result === 'acceptable')).toBe(true);
    expect(refused.map(({ tcId }) => tcId)).toEqual(
      cases.filter(({ flags }) => flags.includes('ZeroSharedSecret')).map(({ tcId }) => tcId),
    );
    expect(refused).toHaveLength(31);
  });
});

interface SealGroup {
  readonly ivSize: number;
  readonly tests: readonly (Case & {
    readonly key: string;
    readonly iv: string;
    readonly aad: string;
    readonly msg: string;
    readonly ct: string;
    readonly tag: string;
  })[];
}

describe.skipIf(vectorsAbsent)(`ChaCha20-Poly1305${vectorsAbsent}`, () => {
  const vectors = readVectors<Wycheproof<SealGroup>>('wycheproof_chacha20_poly1305_test.json', NONE);
  const cases = vectors.testGroups.flatMap(({ tests }) => tests);

  test.each(SIDES)('%s', (_name, { sealChaCha20Poly1305, openChaCha20Poly1305 }) => {
    expect(cases).toHaveLength(325);
    for (const { tcId, key, iv, aad, msg, ct, tag, result } of cases) {
      const opened = openChaCha20Poly1305(bytes(key), bytes(iv), bytes(ct + tag), bytes(aad));
      expect(opened && hex.encode(opened), `case ${tcId}`).toBe(result === 'valid' ? msg : undefined);
      if (result !== 'valid') continue;
      const sealed = sealChaCha20Poly1305(bytes(key), bytes(iv), bytes(msg), bytes(aad));
      expect(hex.encode(sealed), `case ${tcId}`).toBe(ct + tag);
    }
  });
});
