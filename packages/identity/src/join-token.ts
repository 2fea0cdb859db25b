import { sha256 } from '#crypto';
import { encodeBase32, systemRandom, type Random } from '@clawbernetes/kernel';
import { base64urlnopad, hex } from '@scure/base';
import { identityError } from './errors.ts';
import { fingerprintOf, FINGERPRINT_LENGTH } from './fingerprint.ts';
import { lengthPrefixed } from './length-prefixed.ts';

const PREFIX = 'clawjoin_';
const ID_BYTES = 10;
const SECRET_BYTES = 32;
const FINGERPRINT_BYTES = FINGERPRINT_LENGTH;
const TOTAL_BYTES = ID_BYTES + SECRET_BYTES + FINGERPRINT_BYTES;

export interface CreatedJoinToken {
  /** For the person who adds a node; shown once, never stored. */
  readonly token: string;
  readonly tokenId: string;
  /** What the gateway stores: SHA-256 of the secret, hexadecimal. */
  readonly secretHash: string;
}

export interface ParsedJoinToken {
  readonly tokenId: string;
  readonly secretHash: string;
  /** Of the gateway that made it, so that a node knows whom to trust before it has ever met it. */
  readonly gatewayFingerprint: string;
}

export function createJoinToken({
  gatewayPublicKey,
  random = systemRandom,
}: {
  readonly gatewayPublicKey: Uint8Array;
  readonly random?: Random;
}): CreatedJoinToken {
  const id = random.bytes(ID_BYTES);
  const secret = random.bytes(SECRET_BYTES);
  const fingerprint = new TextEncoder().encode(fingerprintOf(gatewayPublicKey));
  const bytes = Uint8Array.from([...id, ...secret, ...fingerprint]);
  return {
    token: PREFIX + base64urlnopad.encode(bytes),
    tokenId: tokenIdOf(id),
    secretHash: hashOf(secret),
  };
}

/** @throws CodedError `invalid-join-token`; its message never repeats the token. */
export function parseJoinToken(text: string): ParsedJoinToken {
  const trimmed = text.trim();
  const bytes = trimmed.startsWith(PREFIX) ? decode(trimmed.slice(PREFIX.length)) : undefined;
  if (bytes?.length !== TOTAL_BYTES) throw refuse();
  const fingerprint = new TextDecoder().decode(bytes.subarray(ID_BYTES + SECRET_BYTES));
  if (!/^[0-9a-z]+$/.test(fingerprint)) throw refuse();
  return {
    tokenId: tokenIdOf(bytes.subarray(0, ID_BYTES)),
    secretHash: hashOf(bytes.subarray(ID_BYTES, ID_BYTES + SECRET_BYTES)),
    gatewayFingerprint: fingerprint,
  };
}

function decode(text: string): Uint8Array | undefined {
  try {
    return base64urlnopad.decode(text);
  } catch {
    return undefined;
  }
}

function tokenIdOf(id: Uint8Array): string {
  return `token-${encodeBase32(id)}`;
}

function hashOf(secret: Uint8Array): string {
  return hex.encode(sha256(lengthPrefixed(['clawbernetes/join-token/v1', secret])));
}

function refuse(): Error {
  return identityError(
    'invalid-join-token',
    `That is not a join token, or not a whole one: it starts with "${PREFIX}". ` +
      'Copy it again, or make a new one with "clawbernetes node token".',
  );
}
