import { createHash } from 'node:crypto';
import { encodeBase32, systemRandom, type Random } from '@clawbernetes/kernel';
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
  const bytes = Buffer.concat([id, secret, Buffer.from(fingerprintOf(gatewayPublicKey), 'latin1')]);
  return { token: PREFIX + bytes.toString('base64url'), tokenId: tokenIdOf(id), secretHash: hashOf(secret) };
}

/** @throws CodedError `invalid-join-token`; its message never repeats the token. */
export function parseJoinToken(text: string): ParsedJoinToken {
  const trimmed = text.trim();
  const bytes = Buffer.from(trimmed.slice(PREFIX.length), 'base64url');
  const exact = trimmed === PREFIX + bytes.toString('base64url') && bytes.length === TOTAL_BYTES;
  const fingerprint = bytes.subarray(ID_BYTES + SECRET_BYTES).toString('latin1');
  if (!exact || !/^[0-9a-z]+$/.test(fingerprint)) throw refuse();
  return {
    tokenId: tokenIdOf(bytes.subarray(0, ID_BYTES)),
    secretHash: hashOf(bytes.subarray(ID_BYTES, ID_BYTES + SECRET_BYTES)),
    gatewayFingerprint: fingerprint,
  };
}

function tokenIdOf(id: Uint8Array): string {
  return `token-${encodeBase32(id)}`;
}

function hashOf(secret: Uint8Array): string {
  return createHash('sha256')
    .update(lengthPrefixed(['clawbernetes/join-token/v1', secret]))
    .digest('hex');
}

function refuse(): Error {
  return identityError(
    'invalid-join-token',
    `That is not a join token, or not a whole one: it starts with "${PREFIX}". ` +
      'Copy it again, or make a new one with "clawbernetes node token".',
  );
}
