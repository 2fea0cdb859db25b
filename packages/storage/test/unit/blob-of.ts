/** The blob that belongs to a sequence, from nothing to 90 KB: over some pages of either engine, or none. */
export function blobOf(sequence: number): Uint8Array {
  const size = sequence % 10 === 0 ? (sequence * 7919) % 90_000 : (sequence * 31) % 300;
  return new Uint8Array(size).fill(sequence % 251);
}
