import type { KeyPair } from './key-pair.ts';
import { sign, verify } from './signature.ts';

/** Bytes of each end's nonce. */
export const NONCE_BYTES = 32;

/** What both ends of a connection know once the node has answered the challenge. */
export interface HandshakeFacts {
  readonly gatewayId: string;
  readonly gatewayNonce: Uint8Array;
  readonly nodeNonce: Uint8Array;
}

export interface GatewayProofFacts extends HandshakeFacts {
  readonly nodeId: string;
  /** The protocol version that the gateway chose, so that nobody between the two can lower it unseen. */
  readonly version: number;
}

/** The node's proof that it holds its key, good for this gateway and this connection only. */
export function signNodeProof(key: KeyPair, facts: HandshakeFacts): Uint8Array {
  return sign(key.privateKey, 'node-proof', ...nodeParts(facts, key.publicKey));
}

export function verifyNodeProof(
  nodePublicKey: Uint8Array,
  facts: HandshakeFacts,
  signature: Uint8Array,
): boolean {
  return verify(nodePublicKey, signature, 'node-proof', ...nodeParts(facts, nodePublicKey));
}

/** The gateway's proof that it holds its key, good for this node and this connection only. */
export function signGatewayProof(key: KeyPair, facts: GatewayProofFacts): Uint8Array {
  return sign(key.privateKey, 'gateway-proof', ...gatewayParts(facts));
}

export function verifyGatewayProof(
  gatewayPublicKey: Uint8Array,
  facts: GatewayProofFacts,
  signature: Uint8Array,
): boolean {
  return verify(gatewayPublicKey, signature, 'gateway-proof', ...gatewayParts(facts));
}

function nodeParts(facts: HandshakeFacts, nodePublicKey: Uint8Array): (Uint8Array | string)[] {
  return [facts.gatewayId, facts.gatewayNonce, facts.nodeNonce, nodePublicKey];
}

function gatewayParts(facts: GatewayProofFacts): (Uint8Array | string)[] {
  return [facts.gatewayId, facts.gatewayNonce, facts.nodeNonce, facts.nodeId, String(facts.version)];
}
