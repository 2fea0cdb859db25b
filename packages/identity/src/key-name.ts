import { base58 } from '@scure/base';
import { identityError } from './errors.ts';
import { KEY_BYTES, requireKeyLength } from './key-pair.ts';

/** Multicodec prefixes of did:key (varints of 0xed and 0xec). */
const ED25519_CODEC = Uint8Array.of(0xed, 0x01);
const X25519_CODEC = Uint8Array.of(0xec, 0x01);
/** Identity multihash of libp2p's protobuf {type: Ed25519, data: 32 bytes}. */
const PEER_ID_PREFIX = Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20);
const DID_PREFIX = 'did:key:';
/** Our alias: the same key, named in MOLT's own method. */
const MOLT_DID_PREFIX = 'did:molt:key:';
/** Longer than any name of a key. */
const MAX_NAME_LENGTH = 128;

/** The names of one Ed25519 key. */
export interface KeyNames {
  /** Solana's: base58 of the 32 bytes. */
  readonly address: string;
  /** libp2p's: `12D3KooW…`. */
  readonly peerId: string;
  readonly did: string;
  readonly moltDid: string;
}

export function keyNames(publicKey: Uint8Array): KeyNames {
  return {
    address: addressOf(publicKey),
    peerId: peerIdOf(publicKey),
    did: didOf(publicKey),
    moltDid: MOLT_DID_PREFIX + multibaseOf(publicKey),
  };
}

export function addressOf(publicKey: Uint8Array): string {
  requireKeyLength(publicKey, 'Ed25519 public');
  return base58.encode(publicKey);
}

/** https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md */
export function peerIdOf(publicKey: Uint8Array): string {
  return base58.encode(prefixed(PEER_ID_PREFIX, publicKey));
}

/** https://w3c-ccg.github.io/did-key-spec/ */
export function didOf(publicKey: Uint8Array): string {
  return DID_PREFIX + multibaseOf(publicKey);
}

/** The key as did:key writes it: multibase of the multicodec and the key. */
export function multibaseOf(publicKey: Uint8Array, curve: 'ed25519' | 'x25519' = 'ed25519'): string {
  return `z${base58.encode(prefixed(curve === 'ed25519' ? ED25519_CODEC : X25519_CODEC, publicKey))}`;
}

/** The key that any of its names stands for: address, PeerId, did:key or did:molt:key; else undefined. */
export function readKeyName(text: string): Uint8Array | undefined {
  if (text.length > MAX_NAME_LENGTH) return undefined;
  const multibase = [DID_PREFIX, MOLT_DID_PREFIX].find((prefix) => text.startsWith(`${prefix}z`));
  if (multibase !== undefined) return unprefixed(ED25519_CODEC, text.slice(multibase.length + 1));
  return unprefixed(PEER_ID_PREFIX, text) ?? unprefixed(new Uint8Array(), text);
}

/** @throws CodedError `invalid-key-name`. */
export function parseKeyName(text: string): Uint8Array {
  const publicKey = readKeyName(text);
  if (publicKey) return publicKey;
  throw identityError(
    'invalid-key-name',
    'That names no Ed25519 key. Write its address (base58), PeerId (12D3KooW…) or did:key:z6Mk….',
  );
}

function prefixed(prefix: Uint8Array, publicKey: Uint8Array): Uint8Array {
  requireKeyLength(publicKey, 'public');
  return Uint8Array.from([...prefix, ...publicKey]);
}

function unprefixed(prefix: Uint8Array, text: string): Uint8Array | undefined {
  const bytes = decodeBase58(text);
  if (bytes?.length !== prefix.length + KEY_BYTES) return undefined;
  return prefix.every((byte, index) => bytes[index] === byte) ? bytes.slice(prefix.length) : undefined;
}

function decodeBase58(text: string): Uint8Array | undefined {
  try {
    return base58.decode(text);
  } catch {
    return undefined;
  }
}
