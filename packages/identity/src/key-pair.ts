import { ed25519PublicKey } from '#crypto';
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

export function generateKeyPair(random: Random = systemRandom): KeyPair {
  return keyPairOf(random.bytes(KEY_BYTES));
}

/** The pair that belongs to a 32-byte private key. @throws CodedError `invalid-key`. */
export function keyPairOf(privateKey: Uint8Array): KeyPair {
  requireKeyLength(privateKey, 'Ed25519 private');
  const publicKey = ed25519PublicKey(privateKey);
  return Object.defineProperty({ publicKey, privateKey }, 'privateKey', { enumerable: false });
}

/** @throws CodedError `invalid-key`. */
export function requireKeyLength(key: Uint8Array, kind: string): void {
  if (key.length === KEY_BYTES) return;
  throw identityError('invalid-key', `An ${kind} key has ${KEY_BYTES} bytes; this one has ${key.length}.`);
}

/** Overwrites secrets that are no longer needed. Copies that the engine made meanwhile are out of reach. */
export function erase(...secrets: readonly Uint8Array[]): void {
  for (const secret of secrets) secret.fill(0);
}
