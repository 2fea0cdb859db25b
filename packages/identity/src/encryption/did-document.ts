import { base58, base64urlnopad } from '@scure/base';
import { didOf, multibaseOf } from '../key-name.ts';
import { encryptionPublicKeyOf } from './x25519.ts';

/** How verification methods are written: `Multikey` is current, the others are read by older software. */
export type DidDocumentFormat = 'Multikey' | 'JsonWebKey2020' | 'Ed25519VerificationKey2018';

export interface VerificationMethod {
  readonly id: string;
  readonly type: string;
  readonly controller: string;
  readonly publicKeyMultibase?: string;
  readonly publicKeyBase58?: string;
  readonly publicKeyJwk?: { readonly kty: string; readonly crv: string; readonly x: string };
}

export interface DidDocument {
  readonly '@context': readonly string[];
  readonly id: string;
  readonly verificationMethod: readonly VerificationMethod[];
  readonly authentication: readonly string[];
  readonly assertionMethod: readonly string[];
  readonly capabilityInvocation: readonly string[];
  readonly capabilityDelegation: readonly string[];
  readonly keyAgreement: readonly string[];
}

type Curve = 'ed25519' | 'x25519';

const DID_CONTEXT = 'https://www.w3.org/ns/did/v1';
const CONTEXTS: Readonly<Record<DidDocumentFormat, readonly string[]>> = {
  Multikey: ['https://w3id.org/security/multikey/v1'],
  JsonWebKey2020: ['https://w3id.org/security/suites/jws-2020/v1'],
  Ed25519VerificationKey2018: [
    'https://w3id.org/security/suites/ed25519-2018/v1',
    'https://w3id.org/security/suites/x25519-2019/v1',
  ],
};

/**
 * What did:key says of a key (https://w3c-ccg.github.io/did-key-spec/): it signs, and its X25519 form takes
 * what is encrypted. @throws CodedError `invalid-key`.
 */
export function didDocument(publicKey: Uint8Array, format: DidDocumentFormat = 'Multikey'): DidDocument {
  const id = didOf(publicKey);
  const encryptionKey = encryptionPublicKeyOf(publicKey);
  const signing = `${id}#${multibaseOf(publicKey)}`;
  const agreement = `${id}#${multibaseOf(encryptionKey, 'x25519')}`;
  return {
    '@context': [DID_CONTEXT, ...CONTEXTS[format]],
    id,
    verificationMethod: [
      { id: signing, controller: id, ...keyMaterial(format, 'ed25519', publicKey) },
      { id: agreement, controller: id, ...keyMaterial(format, 'x25519', encryptionKey) },
    ],
    authentication: [signing],
    assertionMethod: [signing],
    capabilityInvocation: [signing],
    capabilityDelegation: [signing],
    keyAgreement: [agreement],
  };
}

function keyMaterial(
  format: DidDocumentFormat,
  curve: Curve,
  key: Uint8Array,
): Omit<VerificationMethod, 'id' | 'controller'> {
  switch (format) {
    case 'Multikey':
      return { type: format, publicKeyMultibase: multibaseOf(key, curve) };
    case 'JsonWebKey2020': {
      const crv = curve === 'ed25519' ? 'Ed25519' : 'X25519';
      return { type: format, publicKeyJwk: { kty: 'OKP', crv, x: base64urlnopad.encode(key) } };
    }
    case 'Ed25519VerificationKey2018':
      return {
        type: curve === 'ed25519' ? format : 'X25519KeyAgreementKey2019',
        publicKeyBase58: base58.encode(key),
      };
  }
}
