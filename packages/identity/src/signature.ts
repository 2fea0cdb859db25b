import { sign as cryptoSign, verify as cryptoVerify } from 'node:crypto';
import { KEY_BYTES, privateKeyObject, publicKeyObject } from './key-pair.ts';
import { lengthPrefixed } from './length-prefixed.ts';

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
  return new Uint8Array(cryptoSign(null, messageOf(domain, parts), privateKeyObject(privateKey)));
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
export function verifyRaw(publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array): boolean {
  if (publicKey.length !== KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false;
  try {
    return cryptoVerify(null, message, publicKeyObject(publicKey), signature);
  } catch {
    // A point that is not on the curve: no one can have signed for it.
    return false;
  }
}

function messageOf(domain: string, parts: readonly (Uint8Array | string)[]): Uint8Array {
  return lengthPrefixed([`clawbernetes/${domain}/v1`, ...parts]);
}
