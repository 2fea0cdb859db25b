import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { systemRandom, type Random } from '@clawbernetes/kernel';
import { identityError } from './errors.ts';

export const KEY_BYTES = 32;

/**
 * Ed25519 keys as RFC 8032 writes them. `privateKey` is not enumerable, so that no logger or JSON prints it.
 */
export interface KeyPair {
  readonly publicKey: Uint8Array;
  readonly privateKey: Uint8Array;
}

// DER around the raw keys (RFC 8410): the only form besides JWK in which node:crypto takes them.
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

export function generateKeyPair(random: Random = systemRandom): KeyPair {
  return keyPairOf(random.bytes(KEY_BYTES));
}

/** The pair that belongs to a 32-byte private key. @throws CodedError `invalid-key`. */
export function keyPairOf(privateKey: Uint8Array): KeyPair {
  const der = createPublicKey(privateKeyObject(privateKey)).export({ format: 'der', type: 'spki' });
  const publicKey = new Uint8Array(der.subarray(SPKI_PREFIX.length));
  return Object.defineProperty({ publicKey, privateKey }, 'privateKey', { enumerable: false });
}

export function privateKeyObject(privateKey: Uint8Array): KeyObject {
  requireKeyLength(privateKey, 'private');
  return createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, privateKey]), format: 'der', type: 'pkcs8' });
}

export function publicKeyObject(publicKey: Uint8Array): KeyObject {
  requireKeyLength(publicKey, 'public');
  return createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey]), format: 'der', type: 'spki' });
}

function requireKeyLength(key: Uint8Array, kind: 'private' | 'public'): void {
  if (key.length === KEY_BYTES) return;
  throw identityError(
    'invalid-key',
    `An Ed25519 ${kind} key has ${KEY_BYTES} bytes; this one has ${key.length}.`,
  );
}
