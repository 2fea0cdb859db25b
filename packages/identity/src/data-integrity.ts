import { sha256 } from '#crypto';
import { canonicalJson, type Json } from '@clawbernetes/kernel';
import { base58 } from '@scure/base';
import { didOf, multibaseOf, readKeyName } from './key-name.ts';
import type { KeyPair } from './key-pair.ts';
import { signRaw, verifyRaw } from './signature.ts';

const TYPE = 'DataIntegrityProof';
const CRYPTOSUITE = 'eddsa-jcs-2022';
/** Longest canonical document, in UTF-16 code units. */
const MAX_DOCUMENT_LENGTH = 1_048_576;
/** base58 of 64 bytes has 88 characters at most. */
const MAX_PROOF_VALUE_LENGTH = 89;
const DATE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

export interface JsonObject {
  readonly [key: string]: Json | undefined;
}

export type ProofPurpose =
  'assertionMethod' | 'authentication' | 'capabilityInvocation' | 'capabilityDelegation';

export interface ProofOptions {
  readonly purpose?: ProofPurpose;
  readonly createdMs: number;
  readonly expiresMs?: number;
}

export interface DataIntegrityProof extends JsonObject {
  readonly type: typeof TYPE;
  readonly cryptosuite: typeof CRYPTOSUITE;
  readonly created: string;
  readonly verificationMethod: string;
  readonly proofPurpose: string;
  readonly proofValue: string;
}

export type Secured<Document extends JsonObject> = Document & { readonly proof: DataIntegrityProof };

export type ProofVerdict =
  | { readonly status: 'valid'; readonly publicKey: Uint8Array; readonly document: JsonObject }
  | { readonly status: 'malformed' | 'unknown-key' | 'other-purpose' | 'forged' | 'expired' };

/**
 * The document with a Data Integrity proof of the cryptosuite eddsa-jcs-2022
 * (https://www.w3.org/TR/vc-di-eddsa/, section 3.3), made by the key's did:key.
 * @throws CodedError `canonical-json`.
 */
export function addProof<Document extends JsonObject>(
  document: Document,
  key: KeyPair,
  { purpose = 'assertionMethod', createdMs, expiresMs }: ProofOptions,
): Secured<Document> {
  const config = {
    type: TYPE,
    cryptosuite: CRYPTOSUITE,
    created: dateTime(createdMs),
    ...(expiresMs === undefined ? {} : { expires: dateTime(expiresMs) }),
    verificationMethod: `${didOf(key.publicKey)}#${multibaseOf(key.publicKey)}`,
    proofPurpose: purpose,
    ...(document['@context'] === undefined ? {} : { '@context': document['@context'] }),
  } as const;
  const signature = signRaw(key.privateKey, hashOf(config, document));
  return { ...document, proof: { ...config, proofValue: `z${base58.encode(signature)}` } };
}

/**
 * What outside data proves, for `purpose`. Keys are those of did:key and did:molt:key: nothing is
 * fetched.
 */
export function verifyProof(
  secured: JsonObject,
  { purpose = 'assertionMethod', nowMs }: { readonly purpose?: ProofPurpose; readonly nowMs: number },
): ProofVerdict {
  const { proof, ...document } = secured;
  if (!isProof(proof)) return { status: 'malformed' };
  const { proofValue, ...config } = proof;
  const context = config['@context'];
  if (context !== undefined && !startsWith(document['@context'], context)) return { status: 'malformed' };
  const unsecured = context === undefined ? document : { ...document, '@context': context };
  const publicKey = keyOfMethod(proof.verificationMethod);
  if (!publicKey) return { status: 'unknown-key' };
  const signature = decode(proofValue.slice(1));
  const hash = hashOrUndefined(config, unsecured);
  if (!hash || !signature) return { status: 'malformed' };
  if (!verifyRaw(publicKey, signature, hash)) return { status: 'forged' };
  if (proof.proofPurpose !== purpose) return { status: 'other-purpose' };
  const { expires } = config;
  if (typeof expires === 'string' && !(Date.parse(expires) > nowMs)) return { status: 'expired' };
  return { status: 'valid', publicKey, document: unsecured };
}

/** SHA-256 of the proof's configuration, then that of the document: what is signed. */
function hashOf(config: JsonObject, document: JsonObject): Uint8Array {
  const encoder = new TextEncoder();
  const [first, second] = [config, document].map((part) => sha256(encoder.encode(canonicalJson(part))));
  return Uint8Array.from([...(first ?? []), ...(second ?? [])]);
}

function hashOrUndefined(config: JsonObject, document: JsonObject): Uint8Array | undefined {
  try {
    if (canonicalJson(document).length > MAX_DOCUMENT_LENGTH) return undefined;
    return hashOf(config, document);
  } catch {
    return undefined;
  }
}

function isProof(proof: unknown): proof is DataIntegrityProof {
  if (typeof proof !== 'object' || proof === null || Array.isArray(proof)) return false;
  const { type, cryptosuite, created, expires, verificationMethod, proofPurpose, proofValue } =
    proof as Partial<DataIntegrityProof>;
  return (
    type === TYPE &&
    cryptosuite === CRYPTOSUITE &&
    (created === undefined || isDateTime(created)) &&
    (expires === undefined || isDateTime(expires)) &&
    typeof verificationMethod === 'string' &&
    typeof proofPurpose === 'string' &&
    typeof proofValue === 'string' &&
    proofValue.startsWith('z') &&
    proofValue.length <= MAX_PROOF_VALUE_LENGTH
  );
}

/** The key of `did:key:z…#z…`, whose fragment repeats the key. */
function keyOfMethod(method: string): Uint8Array | undefined {
  const [did = '', fragment, ...rest] = method.split('#');
  if (rest.length > 0 || fragment !== did.slice(did.lastIndexOf(':') + 1)) return undefined;
  return did.startsWith('did:') ? readKeyName(did) : undefined;
}

/** Whether the document's context begins with all of the proof's, in order. */
function startsWith(context: Json | undefined, beginning: Json): boolean {
  const all = listOf(context);
  return listOf(beginning).every((part, index) => canonicalJson(part) === canonicalJson(all[index] ?? null));
}

function listOf(value: Json | undefined): readonly Json[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? (value as readonly Json[]) : [value];
}

function isDateTime(text: unknown): text is string {
  return typeof text === 'string' && DATE_TIME.test(text) && !Number.isNaN(Date.parse(text));
}

/** Whole seconds are written without a fraction, as the published examples do. */
function dateTime(timeMs: number): string {
  return new Date(timeMs).toISOString().replace('.000Z', 'Z');
}

function decode(text: string): Uint8Array | undefined {
  try {
    return base58.decode(text);
  } catch {
    return undefined;
  }
}
