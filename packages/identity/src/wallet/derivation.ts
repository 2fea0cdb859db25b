import { ed25519PublicKey, hmacSha512, x25519PublicKey } from '#crypto';
import { identityError } from '../errors.ts';

export type DerivationCurve = 'ed25519' | 'curve25519';

/** A private key from which further ones follow. Neither part is enumerable, so that nothing prints them. */
export interface ExtendedKey {
  readonly curve: DerivationCurve;
  readonly privateKey: Uint8Array;
  readonly chainCode: Uint8Array;
}

const HARDENED = 0x8000_0000;
const HALF = 32;
const SEED_BYTES = { min: 16, max: 64 } as const;
/** Levels of a path; ours has five at most. */
const MAX_DEPTH = 10;
const STEP = /^(\d{1,10})['hH]$/;

/**
 * The key at `path`, such as `m/44'/501'/0'/0'`, by SLIP-0010
 * (https://github.com/satoshilabs/slips/blob/master/slip-0010.md). On these curves every step is hardened: a
 * key tells nothing about its parent and its siblings. `seed` has 16 to 64 bytes.
 * @throws CodedError `invalid-path` | `invalid-key`.
 */
export function deriveKey(seed: Uint8Array, path: string, curve: DerivationCurve = 'ed25519'): ExtendedKey {
  let key = masterKey(seed, curve);
  for (const index of parsePath(path)) {
    const child = childKey(key, index);
    key.privateKey.fill(0);
    key.chainCode.fill(0);
    key = child;
  }
  return key;
}

/** @throws CodedError `invalid-key`. */
export function masterKey(seed: Uint8Array, curve: DerivationCurve = 'ed25519'): ExtendedKey {
  if (seed.length < SEED_BYTES.min || seed.length > SEED_BYTES.max) {
    throw identityError('invalid-key', `A seed has 16 to 64 bytes; this one has ${seed.length}.`);
  }
  return extendedKey(curve, hmacSha512(new TextEncoder().encode(`${curve} seed`), seed));
}

/** The child number `index` (0 to 2^31 − 1, without the hardened bit). @throws CodedError `invalid-path`. */
export function childKey(parent: ExtendedKey, index: number): ExtendedKey {
  if (!Number.isInteger(index) || index < 0 || index >= HARDENED) throw invalidPath();
  const data = new Uint8Array(1 + HALF + 4);
  data.set(parent.privateKey, 1);
  new DataView(data.buffer).setUint32(1 + HALF, index + HARDENED);
  const child = extendedKey(parent.curve, hmacSha512(parent.chainCode, data));
  data.fill(0);
  return child;
}

export function publicKeyOf({ curve, privateKey }: ExtendedKey): Uint8Array {
  return curve === 'ed25519' ? ed25519PublicKey(privateKey) : x25519PublicKey(privateKey);
}

/** Indices of a path, without the hardened bit. @throws CodedError `invalid-path`. */
export function parsePath(path: string): readonly number[] {
  const [root, ...steps] = path.split('/');
  const indices = steps.map((step) => Number(STEP.exec(step)?.[1] ?? -1));
  const wrong = indices.some((index) => index < 0 || index >= HARDENED);
  if (root !== 'm' || steps.length > MAX_DEPTH || wrong) throw invalidPath();
  return indices;
}

function extendedKey(curve: DerivationCurve, material: Uint8Array): ExtendedKey {
  return Object.defineProperties({ curve } as ExtendedKey, {
    privateKey: { value: material.slice(0, HALF), enumerable: false },
    chainCode: { value: material.slice(HALF), enumerable: false },
  });
}

function invalidPath(): Error {
  return identityError(
    'invalid-path',
    `A derivation path is "m" and at most ${MAX_DEPTH} hardened steps below 2147483648, such as ` +
      "m/44'/501'/0'/0'.",
  );
}
