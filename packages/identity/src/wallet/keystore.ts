import { argon2id, sha256 } from '#crypto';
import { canonicalJson, systemRandom, type Json, type Random } from '@clawbernetes/kernel';
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { base64, hex } from '@scure/base';
import type { Argon2Cost } from '../argon2-cost.ts';
import { identityError } from '../errors.ts';

const FORMAT = 'clawbernetes-keystore';
const VERSION = 1;
const KEY_BYTES = 32;
const NONCE_BYTES = 24;
const SALT_BYTES = 16;
const CHECKSUM_BYTES = 8;
const MIN_PASSPHRASE_LENGTH = 8;
const MAX_PASSPHRASE_LENGTH = 1024;
/** RFC 9106, section 4, the second recommended option: 64 MiB, three passes, four lanes. */
export const DEFAULT_COST: Argon2Cost = { memoryKib: 65_536, passes: 3, lanes: 4 };
/** A file must not make its reader spend more than this. */
const MAX_COST: Argon2Cost = { memoryKib: 1_048_576, passes: 16, lanes: 16 };

/** A secret under a passphrase, with facts that anyone may read and nobody can change unnoticed. */
export interface Keystore<Facts extends Json = Json> {
  readonly format: typeof FORMAT;
  readonly version: typeof VERSION;
  readonly facts: Facts;
  readonly derivation: Argon2Cost & { readonly name: 'argon2id'; readonly salt: string };
  readonly cipher: { readonly name: 'xchacha20-poly1305'; readonly nonce: string };
  readonly ciphertext: string;
  /** First bytes of the SHA-256 of all above: tells a damaged file from a wrong passphrase. */
  readonly checksum: string;
}

export interface SealOptions<Facts extends Json> {
  readonly facts: Facts;
  readonly passphrase: string;
  readonly cost?: Argon2Cost;
  readonly random?: Random;
}

/** @throws CodedError `weak-passphrase`. */
export async function sealKeystore<Facts extends Json>(
  secret: Uint8Array,
  { facts, passphrase, cost = DEFAULT_COST, random = systemRandom }: SealOptions<Facts>,
): Promise<Keystore<Facts>> {
  requirePassphrase(passphrase);
  const head = {
    format: FORMAT,
    version: VERSION,
    facts,
    derivation: { name: 'argon2id', ...cost, salt: base64.encode(random.bytes(SALT_BYTES)) },
    cipher: { name: 'xchacha20-poly1305', nonce: base64.encode(random.bytes(NONCE_BYTES)) },
  } as const;
  const key = await keyOf(head, passphrase);
  const sealed = xchacha20poly1305(key, base64.decode(head.cipher.nonce), associatedOf(head)).encrypt(secret);
  key.fill(0);
  const body = { ...head, ciphertext: base64.encode(sealed) };
  return { ...body, checksum: checksumOf(body) };
}

/**
 * The secret, which the caller erases after use.
 * @throws CodedError `keystore-passphrase`.
 */
export async function openKeystore(keystore: Keystore, passphrase: string): Promise<Uint8Array> {
  const { ciphertext, checksum: _, ...head } = keystore;
  const key = await keyOf(head, passphrase.slice(0, MAX_PASSPHRASE_LENGTH));
  try {
    const cipher = xchacha20poly1305(key, base64.decode(head.cipher.nonce), associatedOf(head));
    return cipher.decrypt(base64.decode(ciphertext));
  } catch {
    throw identityError(
      'keystore-passphrase',
      'The passphrase is wrong. Try again; without it only the recovery phrase or shares help.',
    );
  } finally {
    key.fill(0);
  }
}

export function keystoreText(keystore: Keystore): string {
  return `${JSON.stringify(keystore, undefined, 2)}\n`;
}

/**
 * Reads what keystoreText wrote. `source` names it in messages. Facts are for the caller to check.
 * @throws CodedError `keystore-damaged` | `keystore-version`.
 */
export function parseKeystore(text: string, source: string): Keystore {
  const document = parseJson(text);
  if (document === undefined) throw damaged(source, 'is cut off or no JSON');
  if (document['format'] !== FORMAT || document['version'] !== VERSION) throw foreign(source, document);
  if (!isKeystore(document)) throw damaged(source, 'lacks what a keystore has');
  const { checksum, ...body } = document;
  if (checksumOf(body) !== checksum) throw damaged(source, 'was changed after it was written');
  if (!isAffordable(document.derivation)) throw damaged(source, 'asks for more work than it may');
  return document;
}

type Head = Omit<Keystore, 'ciphertext' | 'checksum'>;

async function keyOf({ derivation }: Pick<Head, 'derivation'>, passphrase: string): Promise<Uint8Array> {
  // Keyboards differ in how they compose letters.
  const password = new TextEncoder().encode(passphrase.normalize('NFKC'));
  try {
    return await argon2id(password, base64.decode(derivation.salt), derivation, KEY_BYTES);
  } finally {
    password.fill(0);
  }
}

function associatedOf(head: Head): Uint8Array {
  return new TextEncoder().encode(canonicalJson(head as unknown as Json)); // plain data, as parsed
}

function checksumOf(body: Omit<Keystore, 'checksum'>): string {
  const text = canonicalJson(body as unknown as Json); // plain data, as parsed
  return hex.encode(sha256(new TextEncoder().encode(text)).subarray(0, CHECKSUM_BYTES));
}

/** @throws CodedError `weak-passphrase`. */
export function requirePassphrase(passphrase: string): void {
  const { length } = passphrase;
  if (length >= MIN_PASSPHRASE_LENGTH && length <= MAX_PASSPHRASE_LENGTH) return;
  throw identityError(
    'weak-passphrase',
    length < MIN_PASSPHRASE_LENGTH
      ? `The passphrase has ${length} characters; take ${MIN_PASSPHRASE_LENGTH} or more, best several words.`
      : `The passphrase is longer than ${MAX_PASSPHRASE_LENGTH} characters; take a shorter one.`,
  );
}

function parseJson(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function isKeystore(document: object): document is Keystore {
  const { derivation, cipher, ciphertext, checksum, facts } = document as Partial<Keystore>;
  return (
    facts !== undefined &&
    derivation?.name === 'argon2id' &&
    isBase64(derivation.salt, SALT_BYTES) &&
    cipher?.name === 'xchacha20-poly1305' &&
    isBase64(cipher.nonce, NONCE_BYTES) &&
    isBase64(ciphertext) &&
    typeof checksum === 'string'
  );
}

function isBase64(text: unknown, length?: number): text is string {
  if (typeof text !== 'string') return false;
  try {
    const bytes = base64.decode(text);
    return length === undefined || bytes.length === length;
  } catch {
    return false;
  }
}

function isAffordable(cost: Argon2Cost): boolean {
  const { memoryKib, passes, lanes } = MAX_COST;
  const within = (value: unknown, max: number): boolean =>
    Number.isInteger(value) && (value as number) >= 1 && (value as number) <= max;
  const each = within(cost.memoryKib, memoryKib) && within(cost.passes, passes) && within(cost.lanes, lanes);
  return each && cost.memoryKib >= 8 * cost.lanes;
}

function damaged(source: string, what: string): Error {
  return identityError(
    'keystore-damaged',
    `${source} ${what}. It was left as it is. Restore it from a backup, or recover the wallet under another ` +
      'name from its phrase or shares.',
    { path: source },
  );
}

function foreign(source: string, { format, version }: Readonly<Record<string, unknown>>): Error {
  const what =
    format === FORMAT
      ? `is a keystore of version ${JSON.stringify(version)}; this program reads version ${VERSION}. ` +
        'Use the program that wrote it, or a newer one'
      : 'is not a keystore of Clawbernetes. Import keys of other programs with "clawbernetes molt wallet import"';
  return identityError('keystore-version', `${source} ${what}. It was left as it is.`, { path: source });
}
