import { createHash } from 'node:crypto';

/** Before the first frame. */
export const GENESIS = new Uint8Array(32);

/**
 * SHA-256 over the hash before, the frame and all answers to it: whoever holds a hash can tell whether any
 * frame or answer before it was changed, and a replay that comes out otherwise is seen at once.
 */
export function chainHash(before: Uint8Array, body: Uint8Array, results: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha256').update(before).update(body);
  for (const codes of results) hash.update(codes);
  return hash.digest();
}
