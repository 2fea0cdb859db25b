import { sha256 } from '#crypto';
import { encodeBase32, type Brand } from '@clawbernetes/kernel';

export type NodeId = Brand<'NodeId'>;
export type GatewayId = Brand<'GatewayId'>;

/** Base-32 characters of an id: 80 bits of the key's hash. */
const ID_LENGTH = 16;
/** 120 bits: beyond what anyone can search for a second key, and still short enough to compare by eye. */
export const FINGERPRINT_LENGTH = 24;

/** The beginning of the key's SHA-256, for people to compare and for join tokens to carry. */
export function fingerprintOf(publicKey: Uint8Array): string {
  return hashText(publicKey).slice(0, FINGERPRINT_LENGTH);
}

export function nodeIdOf(publicKey: Uint8Array): NodeId {
  return `node-${hashText(publicKey).slice(0, ID_LENGTH)}` as NodeId;
}

export function gatewayIdOf(publicKey: Uint8Array): GatewayId {
  return `gw-${hashText(publicKey).slice(0, ID_LENGTH)}` as GatewayId;
}

function hashText(publicKey: Uint8Array): string {
  return encodeBase32(sha256(publicKey));
}
