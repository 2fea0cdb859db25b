import { base64urlnopad } from '@scure/base';

/** Without padding, as signatures are written. */
export function encodeBase64url(bytes: Uint8Array): string {
  return base64urlnopad.encode(bytes);
}

/** Empty, which is nobody's signature, for what is no base64url in its one spelling. */
export function decodeBase64url(text: string): Uint8Array {
  try {
    return base64urlnopad.decode(text);
  } catch {
    return new Uint8Array();
  }
}
