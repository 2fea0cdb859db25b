export { sha256 } from '#crypto';
export { decodeBase64url, encodeBase64url } from './base64url.ts';
export {
  addProof,
  verifyProof,
  type DataIntegrityProof,
  type JsonObject,
  type ProofOptions,
  type ProofPurpose,
  type ProofVerdict,
  type Secured,
} from './data-integrity.ts';
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
export { erase, generateKeyPair, keyPairOf, type KeyPair } from './key-pair.ts';
export {
  addressOf,
  didOf,
  keyNames,
  multibaseOf,
  parseKeyName,
  peerIdOf,
  readKeyName,
  type KeyNames,
} from './key-name.ts';
export { sign, signRaw, verify, verifyRaw } from './signature.ts';
export {
  signStatement,
  verifyStatement,
  type SignedStatement,
  type Statement,
  type StatementVerdict,
} from './statement.ts';
