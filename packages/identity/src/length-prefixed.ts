/**
 * One byte string out of many, so that no two lists of parts give the same bytes: each part follows its
 * length as a 32-bit big-endian number. Texts are taken as UTF-8.
 */
export function lengthPrefixed(parts: readonly (Uint8Array | string)[]): Uint8Array {
  const encoder = new TextEncoder();
  const chunks = parts.map((part) => (typeof part === 'string' ? encoder.encode(part) : part));
  const total = chunks.reduce((sum, chunk) => sum + 4 + chunk.length, 0);
  const bytes = new Uint8Array(total);
  const view = new DataView(bytes.buffer);
  let offset = 0;
  for (const chunk of chunks) {
    view.setUint32(offset, chunk.length);
    bytes.set(chunk, offset + 4);
    offset += 4 + chunk.length;
  }
  return bytes;
}
