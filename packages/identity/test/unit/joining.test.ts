// Shows that join tokens, grants and handshake proofs say what they said when made, and nothing for anyone
// else.
import { seededRandom } from '@clawbernetes/kernel';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  createJoinToken,
  fingerprintOf,
  gatewayIdOf,
  generateKeyPair,
  issueGrant,
  nodeIdOf,
  parseJoinToken,
  readGrant,
  signGatewayProof,
  signNodeProof,
  verifyGatewayProof,
  verifyGrant,
  verifyNodeProof,
} from '../../src/index.ts';

const random = seededRandom(7);
const gateway = generateKeyPair(random);
const node = generateKeyPair(random);
const stranger = generateKeyPair(random);

describe('join token', () => {
  const made = createJoinToken({ gatewayPublicKey: gateway.publicKey, random });

  test('reads back as the gateway stored it', () => {
    expect(made.token).toMatch(/^clawjoin_[\w-]{88}$/);
    expect(parseJoinToken(` ${made.token}\n`)).toEqual({
      tokenId: made.tokenId,
      secretHash: made.secretHash,
      gatewayFingerprint: fingerprintOf(gateway.publicKey),
    });
  });

  test('neither its id nor its stored hash contains the secret', () => {
    expect(made.token).not.toContain(made.secretHash);
    expect(made.secretHash).toMatch(/^[0-9a-f]{64}$/);
  });

  test('is refused when cut, extended or mistyped, without repeating it', () => {
    for (const text of ['', 'clawjoin_', made.token.slice(0, -1), `${made.token}A`, made.token.slice(1)]) {
      expect(() => parseJoinToken(text)).toThrow(/not a join token/);
    }
    expect(() => parseJoinToken(`${made.token}A`)).not.toThrow(made.token);
  });

  test('any text is parsed or refused with that one code', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(() => parseJoinToken(`clawjoin_${text}`)).toThrow(
          expect.objectContaining({ code: 'invalid-join-token' }),
        );
      }),
    );
  });
});

describe('grant', () => {
  const grant = issueGrant(gateway, { nodePublicKey: node.publicKey, issuedAtMs: 1234 });

  test('holds for its node and its gateway', () => {
    expect(readGrant(gateway.publicKey, grant, node.publicKey)).toEqual({
      nodeId: nodeIdOf(node.publicKey),
      nodePublicKey: Buffer.from(node.publicKey).toString('hex'),
      gatewayId: gatewayIdOf(gateway.publicKey),
      issuedAtMs: 1234,
    });
  });

  test('holds for no other node, no other gateway and no other bytes', () => {
    expect(verifyGrant(gateway.publicKey, grant, stranger.publicKey)).toBe(false);
    expect(verifyGrant(stranger.publicKey, grant, node.publicKey)).toBe(false);
    fc.assert(
      fc.property(fc.nat(grant.length - 1), fc.integer({ min: 1, max: 255 }), (index, flip) => {
        const changed = grant.map((byte, at) => (at === index ? byte ^ flip : byte));
        expect(verifyGrant(gateway.publicKey, changed, node.publicKey)).toBe(false);
      }),
    );
    expect(verifyGrant(gateway.publicKey, new Uint8Array(), node.publicKey)).toBe(false);
  });
});

describe('handshake', () => {
  const facts = {
    gatewayId: gatewayIdOf(gateway.publicKey),
    gatewayNonce: random.bytes(32),
    nodeNonce: random.bytes(32),
  };
  const answer = { ...facts, nodeId: nodeIdOf(node.publicKey), version: 1 };

  test('each end proves its key for this connection only', () => {
    const proof = signNodeProof(node, facts);
    expect(verifyNodeProof(node.publicKey, facts, proof)).toBe(true);
    expect(verifyNodeProof(stranger.publicKey, facts, proof)).toBe(false);
    expect(verifyNodeProof(node.publicKey, { ...facts, gatewayNonce: random.bytes(32) }, proof)).toBe(false);
    expect(verifyNodeProof(node.publicKey, { ...facts, gatewayId: 'gw-other' }, proof)).toBe(false);
  });

  test('the gateway binds the node and the version it chose', () => {
    const proof = signGatewayProof(gateway, answer);
    expect(verifyGatewayProof(gateway.publicKey, answer, proof)).toBe(true);
    expect(verifyGatewayProof(gateway.publicKey, { ...answer, version: 0 }, proof)).toBe(false);
    expect(verifyGatewayProof(gateway.publicKey, { ...answer, nodeId: 'node-other' }, proof)).toBe(false);
    expect(verifyGatewayProof(gateway.publicKey, { ...answer, nodeNonce: random.bytes(32) }, proof)).toBe(
      false,
    );
  });

  test('one end’s proof is not the other’s', () => {
    const proof = signNodeProof(gateway, facts);
    expect(verifyGatewayProof(gateway.publicKey, answer, proof)).toBe(false);
  });
});

test('ids and fingerprints are those of the key’s hash', () => {
  expect(nodeIdOf(node.publicKey)).toMatch(/^node-[0-9a-hjkmnp-tv-z]{16}$/);
  expect(gatewayIdOf(gateway.publicKey)).toMatch(/^gw-[0-9a-hjkmnp-tv-z]{16}$/);
  expect(nodeIdOf(node.publicKey).slice(5)).toBe(fingerprintOf(node.publicKey).slice(0, 16));
});
