import { ed25519Sign, ed25519Verify } from '#crypto';
import { KEY_BYTES, requireKeyLength } from './key-pair.ts';
import { lengthPrefixed } from './length-prefixed.ts';
import { isWeakPoint } from './weak-point.ts';

export const SIGNATURE_BYTES = 64;

/**
 * Ed25519 over `clawbernetes/<domain>/v1` and the parts, each with its length: a signature made for one
 * purpose never verifies for another.
 */
export function sign(
  privateKey: Uint8Array,
  domain: string,
  ...parts: readonly (Uint8Array | string)[]
): Uint8Array {
  return signRaw(privateKey, messageOf(domain, parts));
}

/** Whether `signature` is that of `publicKey`'s owner; malformed keys and signatures are simply not. */
export function verify(
  publicKey: Uint8Array,
  signature: Uint8Array,
  domain: string,
  ...parts: readonly (Uint8Array | string)[]
): boolean {
  return verifyRaw(publicKey, signature, messageOf(domain, parts));
}

/** Plain Ed25519 (RFC 8032) without domain separation: for formats of others only. */
export function signRaw(privateKey: Uint8Array, message: Uint8Array): Uint8Array {
  requireKeyLength(privateKey, 'Ed25519 private');
  return ed25519Sign(privateKey, message);
}

/**
 * Plain Ed25519 (RFC 8032) without domain separation: for formats of others only. Cofactorless, and nothing
 * holds where the key or R is a weak point: so servers and browsers agree on every signature, also on one
 * that its signer made to divide them.
 */
export function verifyRaw(publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array): boolean {
  if (publicKey.length !== KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false;
  if (isWeakPoint(publicKey) || isWeakPoint(signature.subarray(0, KEY_BYTES))) return false;
  return ed25519Verify(publicKey, signature, message);
}

function messageOf(domain: string, parts: readonly (Uint8Array | string)[]): Uint8Array {
  return lengthPrefixed([`clawbernetes/${domain}/v1`, ...parts]);
}
