import { canonicalJson, type Json } from '@clawbernetes/kernel';
import { decodeBase64url, encodeBase64url } from './base64url.ts';
import { identityError } from './errors.ts';
import { addressOf, readKeyName } from './key-name.ts';
import { KEY_BYTES, type KeyPair } from './key-pair.ts';
import { sign, verify } from './signature.ts';

/** Longest canonical JSON of a statement, in UTF-16 code units. */
const MAX_STATEMENT_LENGTH = 65_536;
const MAX_NONCE_LENGTH = 64;
const MAX_AUDIENCE_LENGTH = 128;
/** Clocks of honest parties differ by less. */
const CLOCK_SKEW_MS = 60_000;

/** What somebody says once, to one audience, for a while. */
export interface Statement<Body extends Json = Json> {
  readonly body: Body;
  /** Whom it is meant for, such as one ledger's id: nobody else may act on it. */
  readonly audience: string;
  /** Unique per signer. The receiver remembers it until the expiry, or counts on if it is a number. */
  readonly nonce: string;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
}

export interface SignedStatement<Body extends Json = Json> extends Statement<Body> {
  /** Address of the key. */
  readonly signer: string;
  /** base64url without padding. */
  readonly signature: string;
}

export type StatementVerdict<Body extends Json = Json> =
  | { readonly status: 'valid'; readonly publicKey: Uint8Array; readonly statement: Statement<Body> }
  | { readonly status: 'malformed' | 'forged' | 'foreign' | 'expired' | 'not-yet-valid' };

/**
 * Signs the canonical JSON (RFC 8785) of statement and signer under `domain`, such as `ledger-transfer`. In
 * `body` amounts are decimal strings: JSON numbers lose digits.
 * @throws CodedError `invalid-statement` | `canonical-json`.
 */
export function signStatement<Body extends Json>(
  key: KeyPair,
  domain: string,
  { body, audience, nonce, issuedAtMs, expiresAtMs }: Statement<Body>,
): SignedStatement<Body> {
  const statement = { body, audience, nonce, issuedAtMs, expiresAtMs, signer: addressOf(key.publicKey) };
  const text = canonicalJson(statement);
  if (!isSignedShape({ ...statement, signature: '' }) || text.length > MAX_STATEMENT_LENGTH) {
    throw identityError(
      'invalid-statement',
      `A statement has an audience (1–${MAX_AUDIENCE_LENGTH} characters), a nonce (1–${MAX_NONCE_LENGTH}), an ` +
        `expiry after its issue, and at most ${MAX_STATEMENT_LENGTH} characters. Correct it and sign again.`,
    );
  }
  return { ...statement, signature: encodeBase64url(sign(key.privateKey, domain, text)) };
}

/**
 * What outside data says as a statement of `domain` to `audience`. Whether the nonce was seen before is for
 * the receiver to know, and whether the signer may say it.
 */
export function verifyStatement<Body extends Json = Json>(
  outside: unknown,
  { domain, audience, nowMs }: { readonly domain: string; readonly audience: string; readonly nowMs: number },
): StatementVerdict<Body> {
  if (!isSignedShape(outside)) return { status: 'malformed' };
  const { signature, ...signed } = outside;
  const publicKey = readKeyName(outside.signer);
  const text = canonicalText(signed);
  // Only the address itself: a second spelling of the signer would be a second statement.
  if (publicKey === undefined || addressOf(publicKey) !== outside.signer) return { status: 'malformed' };
  if (text === undefined) return { status: 'malformed' };
  if (!verify(publicKey, decodeBase64url(signature), domain, text)) return { status: 'forged' };
  if (outside.audience !== audience) return { status: 'foreign' };
  if (outside.issuedAtMs > nowMs + CLOCK_SKEW_MS) return { status: 'not-yet-valid' };
  if (outside.expiresAtMs <= nowMs) return { status: 'expired' };
  const { signer: _, ...statement } = signed;
  // The caller names the shape of the body; it parses it where others than itself could have signed.
  return { status: 'valid', publicKey, statement: statement as Statement<Body> };
}

const FIELDS = 7;

function isSignedShape(outside: unknown): outside is SignedStatement {
  if (typeof outside !== 'object' || outside === null || Object.keys(outside).length !== FIELDS) return false;
  const { body, audience, nonce, issuedAtMs, expiresAtMs, signer, signature } =
    outside as Partial<SignedStatement>;
  return (
    body !== undefined &&
    isText(audience, MAX_AUDIENCE_LENGTH) &&
    isText(nonce, MAX_NONCE_LENGTH) &&
    isTime(issuedAtMs) &&
    isTime(expiresAtMs) &&
    issuedAtMs < expiresAtMs &&
    isText(signer, KEY_BYTES * 2) &&
    typeof signature === 'string'
  );
}

function isText(value: unknown, limit: number): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= limit;
}

function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function canonicalText(value: Json): string | undefined {
  try {
    const text = canonicalJson(value);
    return text.length > MAX_STATEMENT_LENGTH ? undefined : text;
  } catch {
    // Lone surrogates or nesting without end: nothing that could have been signed.
    return undefined;
  }
}
