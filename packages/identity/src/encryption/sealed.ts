import { openChaCha20Poly1305, sealChaCha20Poly1305 } from '#crypto';
import { systemRandom, type Random } from '@clawbernetes/kernel';
import { requireKeyLength } from '../key-pair.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * A random nonce (12 bytes), the ciphertext and its tag (16 bytes): ChaCha20-Poly1305 (RFC 8439). One key
 * seals at most 2^32 messages, since nonces are drawn at random. `associated` is bound but not contained.
 */
export function seal(
  key: Uint8Array,
  message: Uint8Array,
  associated: Uint8Array,
  random: Random = systemRandom,
): Uint8Array {
  requireKeyLength(key, 'encryption');
  const nonce = random.bytes(NONCE_BYTES);
  const sealed = sealChaCha20Poly1305(key, nonce, message, associated);
  const bytes = new Uint8Array(NONCE_BYTES + sealed.length);
  bytes.set(nonce);
  bytes.set(sealed, NONCE_BYTES);
  return bytes;
}

/** The message, or undefined if key, associated data or any byte is not as it was when sealed. */
export function open(key: Uint8Array, sealed: Uint8Array, associated: Uint8Array): Uint8Array | undefined {
  requireKeyLength(key, 'encryption');
  if (sealed.length < NONCE_BYTES + TAG_BYTES) return undefined;
  return openChaCha20Poly1305(key, sealed.subarray(0, NONCE_BYTES), sealed.subarray(NONCE_BYTES), associated);
}
