// Shows that eddsa-jcs-2022 proofs are those of the published example, and hold for nothing that was changed.
import { base58 } from '@scure/base';
import { seededRandom } from '@clawbernetes/kernel';
import { describe, expect, test } from 'vitest';
import {
  addProof,
  didOf,
  generateKeyPair,
  keyPairOf,
  multibaseOf,
  verifyProof,
  type JsonObject,
} from '../../src/index.ts';
import { readVectors, vectorsAbsent } from './vectors.ts';

interface Signed extends JsonObject {
  readonly proof: JsonObject & { readonly proofValue: string; readonly verificationMethod: string };
}

/** Published beside the example: https://www.w3.org/TR/vc-di-eddsa/, appendix B. */
const PUBLISHED_KEY = 'z3u2en7t5LR2WtQH5PfFqMqwVHBeXouLzo6haApm8XHqvjxq';

describe.skipIf(vectorsAbsent)(`published example${vectorsAbsent}`, () => {
  const none = { proof: { proofValue: '', verificationMethod: '' } };
  const example = readVectors<Signed>('eddsa-jcs-2022/signedJCS.json', none);
  const { proof, ...document } = example;

  test('verifies', () => {
    const verdict = verifyProof(example, { nowMs: 0 });
    expect(verdict).toMatchObject({ status: 'valid', document });
  });

  test('is what its key makes', () => {
    const key = keyPairOf(base58.decode(PUBLISHED_KEY.slice(1)).slice(2));
    expect(didOf(key.publicKey)).toBe(proof.verificationMethod.split('#')[0]);
    expect(addProof(document, key, { createdMs: Date.parse('2023-02-24T23:36:38Z') })).toEqual(example);
  });

  test('a change of any member of document or proof is noticed', () => {
    for (const name of Object.keys(document).filter((each) => each !== '@context')) {
      expect(verifyProof({ ...example, [name]: 'changed' }, { nowMs: 0 }).status).toBe('forged');
    }
    for (const [name, value] of Object.entries({
      created: '2023-02-24T23:36:39Z',
      expires: '2999-01-01T00:00:00Z',
    })) {
      expect(verifyProof({ ...example, proof: { ...proof, [name]: value } }, { nowMs: 0 }).status).toBe(
        'forged',
      );
    }
  });
});

const key = generateKeyPair(seededRandom(5));
const proved = addProof({ '@context': ['https://example.org/a'], n: 1 }, key, {
  createdMs: 1000,
  expiresMs: 5000,
});

test('a document without a context is proved as well', () => {
  expect(verifyProof(addProof({ n: 1 }, key, { createdMs: 1 }), { nowMs: 0 }).status).toBe('valid');
});

test('a proof ends with its expiry and serves one purpose', () => {
  expect(verifyProof(proved, { nowMs: 4999 })).toMatchObject({ status: 'valid', publicKey: key.publicKey });
  expect(verifyProof(proved, { nowMs: 5000 }).status).toBe('expired');
  expect(verifyProof(proved, { nowMs: 0, purpose: 'authentication' }).status).toBe('other-purpose');
});

test('contexts may be added behind those that were proved, not before or instead', () => {
  const withContext = (...context: string[]): string =>
    verifyProof({ ...proved, '@context': context }, { nowMs: 0 }).status;
  expect(withContext('https://example.org/a', 'https://example.org/b')).toBe('valid');
  expect(withContext('https://example.org/b', 'https://example.org/a')).toBe('malformed');
  expect(withContext()).toBe('malformed');
});

const method = `${didOf(key.publicKey)}#${multibaseOf(generateKeyPair().publicKey)}`;

test.each<[string, JsonObject, string]>([
  ['no type', { type: 'Ed25519Signature2020' }, 'malformed'],
  ['another cryptosuite', { cryptosuite: 'eddsa-rdfc-2022' }, 'malformed'],
  ['a date that is none', { created: 'yesterday' }, 'malformed'],
  ['an expiry that is none', { expires: 5 }, 'malformed'],
  ['a value that is not base58', { proofValue: 'z0' }, 'malformed'],
  ['a value of another base', { proofValue: 'uAAA' }, 'malformed'],
  ['a key elsewhere', { verificationMethod: 'did:web:example.org#key-1' }, 'unknown-key'],
  ['a fragment of another key', { verificationMethod: method }, 'unknown-key'],
  ['an address for a did', { verificationMethod: 'x' }, 'unknown-key'],
])('a proof with %s is refused', (_what, change, status) => {
  expect(verifyProof({ ...proved, proof: { ...proved.proof, ...change } }, { nowMs: 0 }).status).toBe(status);
});

test('what has no proof is malformed', () => {
  for (const proof of [undefined, null, 'x', [], {}]) {
    expect(verifyProof({ n: 1, ...(proof === undefined ? {} : { proof }) }, { nowMs: 0 }).status).toBe(
      'malformed',
    );
  }
});
