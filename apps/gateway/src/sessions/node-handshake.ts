import { canonicalJson, type Json } from '@clawbernetes/kernel';
import type { Fleet, NodeRecord, NodeRegistration } from '@clawbernetes/fleet';
import {
  fingerprintOf,
  gatewayIdOf,
  issueGrant,
  nodeIdOf,
  parseJoinToken,
  signGatewayProof,
  verifyGrant,
  verifyNodeProof,
  type KeyPair,
} from '@clawbernetes/identity';
import { nameSchema, PROTOCOL_VERSIONS, type NodeBody } from '@clawbernetes/protocol';
import { z } from 'zod';
import { HandshakeRefusal } from './handshake-refusal.ts';
import { parseInventory } from './parse-inventory.ts';

type Register = Extract<NodeBody, { case: 'register' }>['value'];

const MAX_LABELS = 64;
const MAX_COMMANDS = 256;

const factsSchema = z.object({
  name: nameSchema,
  agentVersion: z.string().max(64),
  labels: z
    .record(z.string().max(253), z.string().max(253))
    .refine((labels) => Object.keys(labels).length <= MAX_LABELS, `at most ${MAX_LABELS} labels`),
  commands: z.array(z.string().max(64)).max(MAX_COMMANDS),
});

/** Checks who a node is, before anything that it says is believed. */
export class NodeHandshake {
  readonly gatewayId: string;
  readonly nonce: Uint8Array;
  readonly #key: KeyPair;

  constructor(key: KeyPair, nonce: Uint8Array) {
    this.#key = key;
    this.nonce = nonce;
    this.gatewayId = gatewayIdOf(key.publicKey);
  }

  challenge(): {
    gatewayId: string;
    gatewayPublicKey: Uint8Array;
    nonce: Uint8Array;
    minVersion: number;
    maxVersion: number;
  } {
    const { min, max } = PROTOCOL_VERSIONS;
    return {
      gatewayId: this.gatewayId,
      gatewayPublicKey: this.#key.publicKey,
      nonce: this.nonce,
      minVersion: min,
      maxVersion: max,
    };
  }

  /** The highest version that both speak. @throws HandshakeRefusal. */
  version(register: Register): number {
    const version = Math.min(register.maxVersion, PROTOCOL_VERSIONS.max);
    if (version >= Math.max(register.minVersion, PROTOCOL_VERSIONS.min)) return version;
    throw new HandshakeRefusal(
      'protocol-version',
      `This gateway speaks versions ${PROTOCOL_VERSIONS.min}–${PROTOCOL_VERSIONS.max} of the node protocol, the node ` +
        `${register.minVersion}–${register.maxVersion}; upgrade the older of the two.`,
      { fatal: true },
    );
  }

  /**
   * What the node may be registered as. Uses up its join token. @throws HandshakeRefusal, `name-taken`,
   * `overloaded`.
   */
  admit(register: Register, fleet: Fleet): NodeRegistration {
    this.#verify(register);
    const id = nodeIdOf(register.publicKey);
    const facts = parseFacts(register);
    // Before the token is used up: a node that is refused for its name may come back with another one.
    fleet.registry.checkAdmission(id, facts.name);
    return {
      ...facts,
      id,
      publicKey: Buffer.from(register.publicKey).toString('hex'),
      fingerprint: fingerprintOf(register.publicKey),
      preApproved: this.#preApproved(register, fleet.findNode(id), fleet),
    };
  }

  grant(register: Register, issuedAtMs: number): Uint8Array {
    return issueGrant(this.#key, { nodePublicKey: register.publicKey, issuedAtMs });
  }

  /** The gateway's own proof, for the node to check. */
  proof(register: Register, nodeId: string, version: number): Uint8Array {
    return signGatewayProof(this.#key, { ...this.#facts(register), nodeId, version });
  }

  #facts(register: Register): { gatewayId: string; gatewayNonce: Uint8Array; nodeNonce: Uint8Array } {
    return { gatewayId: this.gatewayId, gatewayNonce: this.nonce, nodeNonce: register.nodeNonce };
  }

  #verify(register: Register): void {
    const keyFits = register.publicKey.length === 32 && register.nodeNonce.length === 32;
    if (keyFits && verifyNodeProof(register.publicKey, this.#facts(register), register.signature)) return;
    throw new HandshakeRefusal('bad-proof', 'The node could not prove that it holds its key.', {
      fatal: true,
    });
  }

  #preApproved(register: Register, known: NodeRecord | undefined, fleet: Fleet): boolean {
    if (known?.approved) return true;
    if (register.grant.length > 0 && verifyGrant(this.#key.publicKey, register.grant, register.publicKey))
      return true;
    if (register.joinToken === '') return false;
    const token = parseToken(register.joinToken);
    const allowed = token && fleet.redeemJoinToken(token.tokenId, token.secretHash);
    if (allowed) return allowed.approve;
    throw new HandshakeRefusal(
      'bad-join-token',
      'The join token is not valid here: it was used before, has expired, or is from another gateway. ' +
        'Make a new one with "clawbernetes node token".',
      { fatal: true },
    );
  }
}

function parseToken(text: string): ReturnType<typeof parseJoinToken> | undefined {
  try {
    return parseJoinToken(text);
  } catch {
    return undefined;
  }
}

function parseFacts(
  register: Register,
): Pick<NodeRegistration, 'name' | 'agentVersion' | 'labels' | 'commands' | 'inventory'> {
  const facts = factsSchema.safeParse(register);
  if (!facts.success) throw badFacts(z.prettifyError(facts.error));
  return { ...facts.data, inventory: parseInventory(register.inventory) };
}

function badFacts(what: string): HandshakeRefusal {
  return new HandshakeRefusal('bad-registration', `The node's registration is not valid: ${what}`, {
    fatal: true,
  });
}

export function configBytes(config: Json): Uint8Array {
  return Buffer.from(canonicalJson(config));
}
