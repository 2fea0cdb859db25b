import {
  fingerprintOf,
  gatewayIdOf,
  nodeIdOf,
  parseJoinToken,
  signNodeProof,
  verifyGatewayProof,
  verifyGrant,
  NONCE_BYTES,
  type HandshakeFacts,
  type KeyPair,
} from '@clawbernetes/identity';
import { CodedError, type Random } from '@clawbernetes/kernel';
import { PROTOCOL_VERSIONS, type GatewayBody } from '@clawbernetes/protocol';
import type { Membership } from '../host.ts';
import { nodeError } from '../errors.ts';

export type GatewayMessage<Case extends GatewayBody['case']> = Extract<GatewayBody, { case: Case }>['value'];

/** A connection's handshake: what both ends sign. */
export interface Handshake extends HandshakeFacts {
  readonly gatewayPublicKey: Uint8Array;
}

/**
 * Answers a challenge, if it comes from the gateway that this node belongs to, or the one that its join
 * token names. Without either it trusts the first gateway that it meets, and remembers it.
 * @throws CodedError `wrong-gateway` | `unsupported-version`: trying again cannot help.
 */
export function answerChallenge(
  challenge: GatewayMessage<'challenge'>,
  { random }: { readonly random: Random },
  known: { readonly membership: Membership | undefined; readonly joinToken: string | undefined },
): Handshake {
  const { gatewayId, gatewayPublicKey } = challenge;
  if (gatewayIdOf(gatewayPublicKey) !== gatewayId || challenge.nonce.length !== NONCE_BYTES) {
    throw new CodedError('The gateway’s challenge contradicts itself.', { code: 'bad-frame' });
  }
  requireKnownGateway(challenge, known);
  requireCommonVersion(challenge);
  return {
    gatewayId,
    gatewayPublicKey,
    gatewayNonce: challenge.nonce,
    nodeNonce: random.bytes(NONCE_BYTES),
  };
}

export interface Introduction {
  readonly minVersion: number;
  readonly maxVersion: number;
  readonly publicKey: Uint8Array;
  readonly nodeNonce: Uint8Array;
  readonly signature: Uint8Array;
  readonly joinToken: string;
  readonly grant: Uint8Array;
}

/** The part of Register that proves who the node is and why it may join. */
export function introduce(
  key: KeyPair,
  handshake: Handshake,
  known: { readonly membership: Membership | undefined; readonly joinToken: string | undefined },
): Introduction {
  const grant = known.membership?.grant;
  return {
    minVersion: PROTOCOL_VERSIONS.min,
    maxVersion: PROTOCOL_VERSIONS.max,
    publicKey: key.publicKey,
    nodeNonce: handshake.nodeNonce,
    signature: signNodeProof(key, handshake),
    joinToken: grant === undefined ? (known.joinToken ?? '') : '',
    grant: grant === undefined ? new Uint8Array() : Buffer.from(grant, 'base64'),
  };
}

/**
 * What to remember once the gateway has proved itself.
 * @throws CodedError `gateway-unproven`.
 */
export function acceptRegistered(
  registered: GatewayMessage<'registered'>,
  key: KeyPair,
  handshake: Handshake,
  membership: Membership | undefined,
): Membership {
  const { version, grant } = registered;
  const facts = { ...handshake, nodeId: nodeIdOf(key.publicKey), version };
  const spoken = version >= PROTOCOL_VERSIONS.min && version <= PROTOCOL_VERSIONS.max;
  const proven = verifyGatewayProof(handshake.gatewayPublicKey, facts, registered.gatewaySignature);
  if (!spoken || !proven || registered.nodeId !== facts.nodeId) {
    throw new CodedError('The gateway did not prove that it holds its key.', { code: 'gateway-unproven' });
  }
  // A grant that still holds is kept, so that coming back costs no write to the disk.
  const held = membership?.grant === undefined ? undefined : Buffer.from(membership.grant, 'base64');
  const kept = [held, grant].find(
    (each) => each && verifyGrant(handshake.gatewayPublicKey, each, key.publicKey),
  );
  return {
    gatewayId: handshake.gatewayId,
    gatewayPublicKey: Buffer.from(handshake.gatewayPublicKey).toString('hex'),
    ...(kept === undefined ? {} : { grant: Buffer.from(kept).toString('base64') }),
  };
}

function requireKnownGateway(
  { gatewayId, gatewayPublicKey }: GatewayMessage<'challenge'>,
  { membership, joinToken }: { membership: Membership | undefined; joinToken: string | undefined },
): void {
  const fingerprint = fingerprintOf(gatewayPublicKey);
  if (membership && membership.gatewayPublicKey !== Buffer.from(gatewayPublicKey).toString('hex')) {
    throw nodeError(
      'wrong-gateway',
      `This node belongs to gateway ${membership.gatewayId}, but ${gatewayId} (fingerprint ${fingerprint}) ` +
        'answered. Check the gateway address. To move the node to the other gateway, stop it, ' +
        'delete membership.json in its home folder and start it with a join token of that gateway.',
    );
  }
  if (membership || joinToken === undefined) return;
  const expected = parseJoinToken(joinToken).gatewayFingerprint;
  if (expected === fingerprint) return;
  throw nodeError(
    'wrong-gateway',
    `The join token was made by a gateway with fingerprint ${expected}, but ${gatewayId} (fingerprint ` +
      `${fingerprint}) answered. Check the gateway address, or ask that gateway for a token: clawbernetes node token`,
  );
}

function requireCommonVersion({ minVersion, maxVersion }: GatewayMessage<'challenge'>): void {
  const { min, max } = PROTOCOL_VERSIONS;
  if (minVersion <= max && maxVersion >= min) return;
  const older = maxVersion < min ? 'the gateway' : 'this node';
  throw nodeError(
    'unsupported-version',
    `The gateway speaks versions ${minVersion}–${maxVersion} of the node protocol and this node ${min}–${max}: ` +
      `update ${older}.`,
  );
}
