const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Bytes for JSON: as text if they are UTF-8, else as base64. Nothing is replaced or lost. */
export function encodeText(bytes: Uint8Array): { data: string; encoding: 'utf8' | 'base64' } {
  try {
    return { data: strictUtf8.decode(bytes), encoding: 'utf8' };
  } catch {
    return { data: Buffer.from(bytes).toString('base64'), encoding: 'base64' };
  }
}
