/**
 * Hash of a reference by its four words; 0 for the reference 0 alone. Stored, so it stays as it is. Whoever
 * chooses references to collide slows down nothing but the search for them, within one segment at a time.
 */
export function referenceHash(a: number, b: number, c: number, d: number): number {
  if ((a | b | c | d) === 0) return 0;
  let hash = Math.imul(a, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b) ^ b;
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35) ^ c;
  hash = Math.imul(hash ^ (hash >>> 16), 0x27d4eb2f) ^ d;
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return ((hash ^ (hash >>> 13)) | 1) >>> 0;
}
