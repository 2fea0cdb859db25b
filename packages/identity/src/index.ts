export type { IdentityErrorCode, IdentityErrorFacts } from './errors.ts';
export { fingerprintOf, gatewayIdOf, nodeIdOf, type GatewayId, type NodeId } from './fingerprint.ts';
export { issueGrant, readGrant, verifyGrant, type Grant } from './grant.ts';
export {
  NONCE_BYTES,
  signGatewayProof,
  signNodeProof,
  verifyGatewayProof,
  verifyNodeProof,
  type GatewayProofFacts,
  type HandshakeFacts,
} from './handshake.ts';
export {
  createJoinToken,
  parseJoinToken,
  type CreatedJoinToken,
  type ParsedJoinToken,
} from './join-token.ts';
export { loadKeyFile, loadOrCreateKeyFile } from './key-file.ts';
export { generateKeyPair, keyPairOf, type KeyPair } from './key-pair.ts';
export { sign, verify, verifyRaw } from './signature.ts';
