import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { ed25519, x25519 } from '@noble/curves/ed25519.js';
import { bytesToNumberLE, equalBytes } from '@noble/curves/utils.js';
import { argon2idAsync } from '@noble/hashes/argon2.js';
import { hmac } from '@noble/hashes/hmac.js';
import { pbkdf2 } from '@noble/hashes/pbkdf2.js';
import { sha256 as nobleSha256, sha512 as nobleSha512 } from '@noble/hashes/sha2.js';
import type { Argon2Cost } from '../argon2-cost.ts';

// The same functions as node-crypto.ts, for where there is no node:crypto; package.json chooses (`#crypto`).

const { Point } = ed25519;
const R_BYTES = 32;

export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const state = nobleSha256.create();
  for (const part of parts) state.update(part);
  return state.digest();
}

export function sha512(...parts: readonly Uint8Array[]): Uint8Array {
  const state = nobleSha512.create();
  for (const part of parts) state.update(part);
  return state.digest();
}

export function hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array {
  return hmac(nobleSha256, key, message);
}

export function hmacSha512(key: Uint8Array, message: Uint8Array): Uint8Array {
  return hmac(nobleSha512, key, message);
}

export function pbkdf2Sha256(
  password: Uint8Array,
  salt: Uint8Array,
  iterations: number,
  length: number,
): Uint8Array {
  return pbkdf2(nobleSha256, password, salt, { c: iterations, dkLen: length });
}

export async function argon2id(
  password: Uint8Array,
  salt: Uint8Array,
  { memoryKib, passes, lanes }: Argon2Cost,
  length: number,
): Promise<Uint8Array> {
  return argon2idAsync(password, salt, { m: memoryKib, t: passes, p: lanes, dkLen: length });
}

export function ed25519PublicKey(privateKey: Uint8Array): Uint8Array {
  return ed25519.getPublicKey(privateKey);
}

export function ed25519Sign(privateKey: Uint8Array, message: Uint8Array): Uint8Array {
  return ed25519.sign(message, privateKey);
}

/**
 * Cofactorless, R compared byte by byte: exactly what OpenSSL does on servers. The library's own verify
 * multiplies by the cofactor, so that a signature made for the purpose would hold here and not there.
 */
export function ed25519Verify(publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array): boolean {
  try {
    const r = signature.subarray(0, R_BYTES);
    const s = bytesToNumberLE(signature.subarray(R_BYTES));
    if (s >= Point.Fn.ORDER) return false;
    const k = Point.Fn.create(bytesToNumberLE(sha512(r, publicKey, message)));
    const left = Point.BASE.multiplyUnsafe(s);
    return equalBytes(left.subtract(Point.fromBytes(publicKey).multiplyUnsafe(k)).toBytes(), r);
  } catch {
    // A point that is not on the curve: no one can have signed for it.
    return false;
  }
}

export function x25519PublicKey(privateKey: Uint8Array): Uint8Array {
  return x25519.getPublicKey(privateKey);
}

export function x25519Shared(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined {
  try {
    return x25519.getSharedSecret(privateKey, publicKey);
  } catch {
    return undefined;
  }
}

export function sealChaCha20Poly1305(
  key: Uint8Array,
  nonce: Uint8Array,
  message: Uint8Array,
  associated: Uint8Array,
): Uint8Array {
  return chacha20poly1305(key, nonce, associated).encrypt(message);
}

export function openChaCha20Poly1305(
  key: Uint8Array,
  nonce: Uint8Array,
  sealed: Uint8Array,
  associated: Uint8Array,
): Uint8Array | undefined {
  try {
    return chacha20poly1305(key, nonce, associated).decrypt(sealed);
  } catch {
    return undefined;
  }
}
