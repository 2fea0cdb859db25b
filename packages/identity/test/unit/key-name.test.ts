// Shows that one key has the names that Solana, libp2p and did:key give it, that each reads back, and that
// its X25519 form and DID documents are those published.
import { base58, base64urlnopad } from '@scure/base';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  didDocument,
  encryptionPrivateKeyOf,
  encryptionPublicKeyOf,
  open,
  seal,
  sharedSecret,
  x25519PublicKeyOf,
  type DidDocument,
} from '../../src/encryption/index.ts';
import { generateKeyPair, keyNames, keyPairOf, parseKeyName, readKeyName } from '../../src/index.ts';
import { bytes, readVectors, vectorsAbsent } from './vectors.ts';

interface KeyMaterial {
  readonly type: string;
  readonly publicKeyBase58?: string;
  readonly privateKeyBase58?: string;
  readonly publicKeyJwk?: { readonly x: string };
  readonly privateKeyJwk?: { readonly d: string };
}

interface DidKey {
  readonly seed: string;
  readonly verificationKeyPair: KeyMaterial;
  readonly keyAgreementKeyPair: KeyMaterial;
  readonly didDocument: DidDocument;
}

const published = Object.entries(readVectors<Record<string, DidKey>>('did-key-ed25519-x25519.json', {}));

function publicPart({ publicKeyBase58, publicKeyJwk }: KeyMaterial): Uint8Array {
  return publicKeyBase58 ? base58.decode(publicKeyBase58) : base64urlnopad.decode(publicKeyJwk?.x ?? '');
}

function privatePart({ privateKeyBase58, privateKeyJwk }: KeyMaterial): Uint8Array {
  return privateKeyBase58 ? base58.decode(privateKeyBase58) : base64urlnopad.decode(privateKeyJwk?.d ?? '');
}

describe.skipIf(vectorsAbsent)(`did:key Ed25519 and X25519${vectorsAbsent}`, () => {
  test('there are documents of two formats', () => {
    expect(new Set(published.map(([, { verificationKeyPair }]) => verificationKeyPair.type))).toEqual(
      new Set(['Ed25519VerificationKey2018', 'JsonWebKey2020']),
    );
  });

  test.each(published)(
    '%s',
    (did, { seed, verificationKeyPair, keyAgreementKeyPair, didDocument: document }) => {
      const { privateKey, publicKey } = keyPairOf(bytes(seed));
      expect(publicKey).toEqual(publicPart(verificationKeyPair));
      expect(keyNames(publicKey).did).toBe(did);
      expect(encryptionPublicKeyOf(publicKey)).toEqual(publicPart(keyAgreementKeyPair));
      expect(encryptionPrivateKeyOf(privateKey)).toEqual(privatePart(keyAgreementKeyPair));
      const format =
        verificationKeyPair.type === 'JsonWebKey2020' ? 'JsonWebKey2020' : 'Ed25519VerificationKey2018';
      expect(didDocument(publicKey, format)).toEqual(document);
    },
  );
});

test('the document of today names both keys as Multikey', () => {
  const { publicKey } = keyPairOf(new Uint8Array(32));
  const { id, verificationMethod, keyAgreement } = didDocument(publicKey);
  expect(verificationMethod.map(({ type }) => type)).toEqual(['Multikey', 'Multikey']);
  expect(verificationMethod.map(({ publicKeyMultibase }) => publicKeyMultibase?.slice(0, 4))).toEqual([
    'z6Mk',
    'z6LS',
  ]);
  expect(keyAgreement).toEqual([`${id}#${verificationMethod[1]?.publicKeyMultibase}`]);
});

describe('names', () => {
  test('are those of the published examples', () => {
    // The Ed25519 key of https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md, named by
    // js-libp2p.
    const publicKey = bytes('1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e');
    expect(keyNames(publicKey).peerId).toBe('12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq');
    expect(keyNames(new Uint8Array(32)).address).toBe('11111111111111111111111111111111');
  });

  test('each reads back as the key', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (publicKey) => {
        for (const name of Object.values(keyNames(publicKey))) expect(parseKeyName(name)).toEqual(publicKey);
      }),
    );
  });

  test('what names no Ed25519 key is refused', () => {
    const { address, did, peerId } = keyNames(generateKeyPair().publicKey);
    const x25519 = didDocument(generateKeyPair().publicKey).keyAgreement[0]?.split('#')[1];
    const wrong = [
      '',
      ' ',
      address.slice(9),
      `${address}1`,
      `${did}#`,
      `did:web:${address}`,
      did.slice(0, -1),
    ];
    for (const text of [
      ...wrong,
      `did:key:${x25519}`,
      peerId.slice(0, 9),
      '0OIl'.repeat(11),
      '1'.repeat(500),
    ]) {
      expect(readKeyName(text)).toBeUndefined();
      expect(() => parseKeyName(text)).toThrow(expect.objectContaining({ code: 'invalid-key-name' }));
    }
    fc.assert(
      fc.property(fc.string(), (text) => {
        const key = readKeyName(text);
        expect(key === undefined || Object.values(keyNames(key)).includes(text)).toBe(true);
      }),
    );
  });
});

describe('encryption', () => {
  test('both ends share one secret, made of their signing keys', () => {
    const [alice, bob] = [generateKeyPair(), generateKeyPair()];
    const secret = sharedSecret(
      encryptionPrivateKeyOf(alice.privateKey),
      encryptionPublicKeyOf(bob.publicKey),
    );
    expect(
      sharedSecret(encryptionPrivateKeyOf(bob.privateKey), encryptionPublicKeyOf(alice.publicKey)),
    ).toEqual(secret);
    expect(x25519PublicKeyOf(encryptionPrivateKeyOf(bob.privateKey))).toEqual(
      encryptionPublicKeyOf(bob.publicKey),
    );
  });

  test('there is none with a key of small order, nor a form of one', () => {
    expect(sharedSecret(generateKeyPair().privateKey, new Uint8Array(32))).toBeUndefined();
    for (const key of [new Uint8Array(32), new Uint8Array(32).fill(2), new Uint8Array(5)]) {
      expect(() => encryptionPublicKeyOf(key)).toThrow(expect.objectContaining({ code: 'invalid-key' }));
    }
  });

  test('what is sealed opens with its key and associated data only', () => {
    const key = generateKeyPair().privateKey;
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), fc.nat(), (message, associated, place) => {
        const sealed = seal(key, message, associated);
        expect(open(key, sealed, associated)).toEqual(message);
        expect(open(key, sealed, Uint8Array.from([...associated, 0]))).toBeUndefined();
        const at = place % sealed.length;
        expect(open(key, sealed.with(at, (sealed[at] ?? 0) ^ 1), associated)).toBeUndefined();
        expect(open(key, sealed.subarray(0, at), associated)).toBeUndefined();
      }),
    );
  });
});
