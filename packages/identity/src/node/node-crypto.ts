import {
  argon2,
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  pbkdf2Sync,
  sign,
  verify,
  type KeyObject,
} from 'node:crypto';
import type { Argon2Cost } from '../argon2-cost.ts';

// DER around the raw keys (RFC 8410): the only form besides JWK in which node:crypto takes them.
const PKCS8 = {
  ed25519: Buffer.from('302e020100300506032b657004220420', 'hex'),
  x25519: Buffer.from('302e020100300506032b656e04220420', 'hex'),
} as const;
const SPKI = {
  ed25519: Buffer.from('302a300506032b6570032100', 'hex'),
  x25519: Buffer.from('302a300506032b656e032100', 'hex'),
} as const;
type Curve = keyof typeof SPKI;

const TAG_BYTES = 16;
/** Importing a public key costs a quarter of a verification, and few keys sign most of what is verified. */
const MAX_CACHED_KEYS = 4096;
const cachedKeys = new Map<string, KeyObject>();

export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  return hash('sha256', parts);
}

export function sha512(...parts: readonly Uint8Array[]): Uint8Array {
  return hash('sha512', parts);
}

export function hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array {
  return new Uint8Array(createHmac('sha256', key).update(message).digest());
}

export function hmacSha512(key: Uint8Array, message: Uint8Array): Uint8Array {
  return new Uint8Array(createHmac('sha512', key).update(message).digest());
}

export function pbkdf2Sha256(
  password: Uint8Array,
  salt: Uint8Array,
  iterations: number,
  length: number,
): Uint8Array {
  return new Uint8Array(pbkdf2Sync(password, salt, iterations, length, 'sha256'));
}

export async function argon2id(
  password: Uint8Array,
  salt: Uint8Array,
  { memoryKib, passes, lanes }: Argon2Cost,
  length: number,
): Promise<Uint8Array> {
  const parameters = {
    message: password,
    nonce: salt,
    parallelism: lanes,
    tagLength: length,
    memory: memoryKib,
    passes,
  };
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  argon2('argon2id', parameters, (error, key) => (error ? reject(error) : resolve(new Uint8Array(key))));
  return promise;
}

export function ed25519PublicKey(privateKey: Uint8Array): Uint8Array {
  return publicKeyOf('ed25519', privateKey);
}

export function ed25519Sign(privateKey: Uint8Array, message: Uint8Array): Uint8Array {
  return new Uint8Array(sign(null, message, privateKeyObject('ed25519', privateKey)));
}

/** Cofactorless, as RFC 8032 allows: R is compared byte by byte. */
export function ed25519Verify(publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array): boolean {
  try {
    return verify(null, message, cachedPublicKey(publicKey), signature);
  } catch {
    // A point that is not on the curve: no one can have signed for it.
    return false;
  }
}

export function x25519PublicKey(privateKey: Uint8Array): Uint8Array {
  return publicKeyOf('x25519', privateKey);
}

/** The shared secret, or undefined where it is all zero: the other key is of small order (RFC 7748, 6.1). */
export function x25519Shared(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined {
  const keys = {
    privateKey: privateKeyObject('x25519', privateKey),
    publicKey: publicKeyObject('x25519', publicKey),
  };
  try {
    return new Uint8Array(diffieHellman(keys));
  } catch {
    return undefined;
  }
}

/** Ciphertext, then the 16-byte tag (RFC 8439). `nonce` has 12 bytes and never serves twice with one key. */
export function sealChaCha20Poly1305(
  key: Uint8Array,
  nonce: Uint8Array,
  message: Uint8Array,
  associated: Uint8Array,
): Uint8Array {
  const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(associated, { plaintextLength: message.length });
  const ciphertext = [cipher.update(message), cipher.final()];
  return new Uint8Array(Buffer.concat([...ciphertext, cipher.getAuthTag()]));
}

/** The message, or undefined if anything about it is not as it was sealed. */
export function openChaCha20Poly1305(
  key: Uint8Array,
  nonce: Uint8Array,
  sealed: Uint8Array,
  associated: Uint8Array,
): Uint8Array | undefined {
  const length = sealed.length - TAG_BYTES;
  if (length < 0) return undefined;
  try {
    const decipher = createDecipheriv('chacha20-poly1305', key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(associated, { plaintextLength: length });
    decipher.setAuthTag(sealed.subarray(length));
    return new Uint8Array(Buffer.concat([decipher.update(sealed.subarray(0, length)), decipher.final()]));
  } catch {
    return undefined;
  }
}

function hash(algorithm: 'sha256' | 'sha512', parts: readonly Uint8Array[]): Uint8Array {
  const state = createHash(algorithm);
  for (const part of parts) state.update(part);
  return new Uint8Array(state.digest());
}

function publicKeyOf(curve: Curve, privateKey: Uint8Array): Uint8Array {
  const der = createPublicKey(privateKeyObject(curve, privateKey)).export({ format: 'der', type: 'spki' });
  return new Uint8Array(der.subarray(SPKI[curve].length));
}

function privateKeyObject(curve: Curve, privateKey: Uint8Array): KeyObject {
  const der = Buffer.concat([PKCS8[curve], privateKey]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  der.fill(0);
  return key;
}

function publicKeyObject(curve: Curve, publicKey: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([SPKI[curve], publicKey]), format: 'der', type: 'spki' });
}

function cachedPublicKey(publicKey: Uint8Array): KeyObject {
  const name = Buffer.from(publicKey.buffer, publicKey.byteOffset, publicKey.length).toString('latin1');
  const found = cachedKeys.get(name);
  if (found) return found;
  const key = publicKeyObject('ed25519', publicKey);
  if (cachedKeys.size >= MAX_CACHED_KEYS) cachedKeys.delete(cachedKeys.keys().next().value ?? '');
  cachedKeys.set(name, key);
  return key;
}
