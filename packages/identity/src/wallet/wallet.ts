import { assert } from '@clawbernetes/kernel';
import { identityError } from '../errors.ts';
import { addressOf } from '../key-name.ts';
import { keyPairOf, type KeyPair } from '../key-pair.ts';
import { deriveIdentity, identityPath } from './identity-path.ts';
import { seedOf } from './phrase.ts';

/** What a wallet keeps secret: a phrase's bytes, from which all keys follow, or one key from elsewhere. */
export type WalletSecret =
  | { readonly kind: 'phrase'; readonly entropy: Uint8Array }
  | { readonly kind: 'private-key'; readonly privateKey: Uint8Array };

/** A key of a wallet. The one that is not retired signs; retired ones are still found and exported. */
export interface WalletKey {
  /** The organisation's number in the hierarchy; 0 for the only key of an imported wallet. */
  readonly index: number;
  /** Absent where the key was not derived. */
  readonly path?: string;
  readonly address: string;
  readonly createdAtMs: number;
  readonly retiredAtMs?: number;
}

/** What anyone may know of a wallet. */
export interface WalletFacts {
  readonly kind: WalletSecret['kind'];
  readonly createdAtMs: number;
  /** In order of their index; exactly one is not retired. */
  readonly keys: readonly WalletKey[];
}

const KIND_BYTES = { phrase: 1, 'private-key': 2 } as const;
/** More rotations than a person makes; each key is looked at when a wallet is read. */
const MAX_KEYS = 1000;

export function walletFacts(secret: WalletSecret, nowMs: number): WalletFacts {
  return { kind: secret.kind, createdAtMs: nowMs, keys: [walletKey(secret, 0, nowMs)] };
}

export function activeKey({ keys }: WalletFacts): WalletKey {
  const active = keys.filter(({ retiredAtMs }) => retiredAtMs === undefined);
  const [key] = active;
  assert(key !== undefined && active.length === 1, 'a wallet has one active key');
  return key;
}

/**
 * The wallet with the next key of its hierarchy as the active one; the others are kept, retired.
 * @throws CodedError `invalid-key` for a wallet without a hierarchy.
 */
export function withNextKey(facts: WalletFacts, secret: WalletSecret, nowMs: number): WalletFacts {
  if (secret.kind === 'private-key' || facts.keys.length >= MAX_KEYS) {
    throw identityError(
      'invalid-key',
      secret.kind === 'phrase'
        ? `This wallet has used ${MAX_KEYS} keys. Create a new one.`
        : 'This wallet holds one imported key, without a phrase that gives a next one. Create a new wallet ' +
            'and move what this one holds.',
    );
  }
  const retired = facts.keys.map((key) =>
    key.retiredAtMs === undefined ? { ...key, retiredAtMs: nowMs } : key,
  );
  const next = Math.max(...facts.keys.map(({ index }) => index)) + 1;
  return { ...facts, keys: [...retired, walletKey(secret, next, nowMs)] };
}

export function withoutRetiredKeys(facts: WalletFacts): WalletFacts {
  return { ...facts, keys: [activeKey(facts)] };
}

/** The caller erases it after use. @throws CodedError `keystore-damaged` if it is not the key listed. */
export function walletKeyPair(secret: WalletSecret, key: WalletKey): KeyPair {
  const pair = derivePair(secret, key.index);
  if (addressOf(pair.publicKey) === key.address) return pair;
  throw identityError(
    'keystore-damaged',
    `The wallet lists ${key.address}, which is not its key number ${key.index}.`,
  );
}

export function eraseSecret(secret: WalletSecret): void {
  (secret.kind === 'phrase' ? secret.entropy : secret.privateKey).fill(0);
}

/** One byte for the kind, then the bytes. */
export function encodeSecret(secret: WalletSecret): Uint8Array {
  const bytes = secret.kind === 'phrase' ? secret.entropy : secret.privateKey;
  return Uint8Array.from([KIND_BYTES[secret.kind], ...bytes]);
}

/** @throws CodedError `keystore-damaged`. */
export function decodeSecret(bytes: Uint8Array): WalletSecret {
  const content = bytes.slice(1);
  if (bytes[0] === KIND_BYTES.phrase && [16, 20, 24, 28, 32].includes(content.length)) {
    return { kind: 'phrase', entropy: content };
  }
  if (bytes[0] === KIND_BYTES['private-key'] && content.length === 32) {
    return { kind: 'private-key', privateKey: content };
  }
  throw identityError('keystore-damaged', 'The keystore holds a secret of an unknown kind.');
}

export function isWalletFacts(facts: unknown): facts is WalletFacts {
  if (typeof facts !== 'object' || facts === null) return false;
  const { kind, createdAtMs, keys } = facts as Partial<WalletFacts>;
  if (kind === undefined || !Object.hasOwn(KIND_BYTES, kind) || !Number.isSafeInteger(createdAtMs))
    return false;
  if (!Array.isArray(keys) || keys.length > MAX_KEYS || !keys.every(isWalletKey)) return false;
  return keys.filter(({ retiredAtMs }) => retiredAtMs === undefined).length === 1;
}

function isWalletKey(key: unknown): key is WalletKey {
  if (typeof key !== 'object' || key === null) return false;
  const { index, path, address, createdAtMs, retiredAtMs } = key as Partial<WalletKey>;
  return (
    Number.isSafeInteger(index) &&
    (path === undefined || typeof path === 'string') &&
    typeof address === 'string' &&
    Number.isSafeInteger(createdAtMs) &&
    (retiredAtMs === undefined || Number.isSafeInteger(retiredAtMs))
  );
}

function walletKey(secret: WalletSecret, index: number, nowMs: number): WalletKey {
  const { publicKey, privateKey } = derivePair(secret, index);
  privateKey.fill(0);
  const path = secret.kind === 'phrase' ? { path: identityPath({ org: index }) } : {};
  return { index, ...path, address: addressOf(publicKey), createdAtMs: nowMs };
}

function derivePair(secret: WalletSecret, index: number): KeyPair {
  if (secret.kind === 'private-key') return keyPairOf(secret.privateKey.slice());
  const seed = seedOf(secret.entropy);
  try {
    return deriveIdentity(seed, { org: index });
  } finally {
    seed.fill(0);
  }
}
