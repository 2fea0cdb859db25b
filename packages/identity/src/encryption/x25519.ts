import { x25519PublicKey, x25519Shared } from '#crypto';
import { ed25519 } from '@noble/curves/ed25519.js';
import { identityError } from '../errors.ts';
import { requireKeyLength } from '../key-pair.ts';
import { isWeakPoint } from '../weak-point.ts';

/**
 * The X25519 key that belongs to an Ed25519 key, by the birational map u = (1 + y) / (1 − y) (RFC 7748, 4.1).
 * @throws CodedError `invalid-key` for a weak key or one that is not on the curve.
 */
export function encryptionPublicKeyOf(ed25519PublicKey: Uint8Array): Uint8Array {
  requireKeyLength(ed25519PublicKey, 'Ed25519 public');
  try {
    if (!isWeakPoint(ed25519PublicKey)) return ed25519.utils.toMontgomery(ed25519PublicKey);
  } catch {
    // Not on the curve: refused below.
  }
  throw identityError('invalid-key', 'That public key is no point of Ed25519 that one could encrypt to.');
}

/** The private half: the scalar that Ed25519 itself makes of the key. */
export function encryptionPrivateKeyOf(ed25519PrivateKey: Uint8Array): Uint8Array {
  requireKeyLength(ed25519PrivateKey, 'Ed25519 private');
  return ed25519.utils.toMontgomerySecret(ed25519PrivateKey);
}

/** @throws CodedError `invalid-key`. */
export function x25519PublicKeyOf(privateKey: Uint8Array): Uint8Array {
  requireKeyLength(privateKey, 'X25519 private');
  return x25519PublicKey(privateKey);
}

/**
 * The secret that both ends share (RFC 7748, 6.1), or undefined where the other key is of small order, so
 * that the secret would be known to everyone. Derive keys from it; do not use it as one.
 */
export function sharedSecret(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined {
  requireKeyLength(privateKey, 'X25519 private');
  requireKeyLength(publicKey, 'X25519 public');
  return x25519Shared(privateKey, publicKey);
}
