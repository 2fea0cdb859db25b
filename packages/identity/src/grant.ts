import { canonicalJson } from '@clawbernetes/kernel';
import { hex } from '@scure/base';
import { gatewayIdOf, nodeIdOf } from './fingerprint.ts';
import type { KeyPair } from './key-pair.ts';
import { sign, SIGNATURE_BYTES, verify } from './signature.ts';

const DOMAIN = 'node-grant';
const MAX_GRANT_BYTES = 4096;

/** A gateway's word that a node belongs to its fleet. */
export interface Grant {
  readonly nodeId: string;
  /** Hexadecimal. */
  readonly nodePublicKey: string;
  readonly gatewayId: string;
  readonly issuedAtMs: number;
}

/**
 * The gateway's signature (64 bytes), then the grant as canonical JSON: exactly the bytes that were signed.
 */
export function issueGrant(
  gatewayKey: KeyPair,
  { nodePublicKey, issuedAtMs }: { readonly nodePublicKey: Uint8Array; readonly issuedAtMs: number },
): Uint8Array {
  const body = canonicalJson({
    nodeId: nodeIdOf(nodePublicKey),
    nodePublicKey: hex.encode(nodePublicKey),
    gatewayId: gatewayIdOf(gatewayKey.publicKey),
    issuedAtMs,
  });
  const signature = sign(gatewayKey.privateKey, DOMAIN, body);
  return Uint8Array.from([...signature, ...new TextEncoder().encode(body)]);
}

/** The grant if this gateway issued it to this node, else undefined. */
export function readGrant(
  gatewayPublicKey: Uint8Array,
  grant: Uint8Array,
  nodePublicKey: Uint8Array,
): Grant | undefined {
  if (grant.length <= SIGNATURE_BYTES || grant.length > MAX_GRANT_BYTES) return undefined;
  const body = grant.subarray(SIGNATURE_BYTES);
  if (!verify(gatewayPublicKey, grant.subarray(0, SIGNATURE_BYTES), DOMAIN, body)) return undefined;
  // Signed by the gateway itself, so it is of this shape.
  const content = JSON.parse(new TextDecoder().decode(body)) as Grant;
  const same =
    content.nodePublicKey === hex.encode(nodePublicKey) &&
    content.nodeId === nodeIdOf(nodePublicKey) &&
    content.gatewayId === gatewayIdOf(gatewayPublicKey);
  return same ? content : undefined;
}

export function verifyGrant(
  gatewayPublicKey: Uint8Array,
  grant: Uint8Array,
  nodePublicKey: Uint8Array,
): boolean {
  return readGrant(gatewayPublicKey, grant, nodePublicKey) !== undefined;
}
