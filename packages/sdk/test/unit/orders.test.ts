// Shows that an order is signed over its canonical bytes for one ledger, and that one whose answer got lost
// is sent again as it was and counted as done.
import { addressOf, generateKeyPair, verifyStatement } from '@clawbernetes/identity';
import { seededRandom, systemRandom } from '@clawbernetes/kernel';
import { afterEach, describe, expect, it } from 'vitest';
import { openClient, orderText, type SignedOrder } from '../../src/index.ts';
import { newNonce, newOrderId, signOrder } from '../../src/signed-order.ts';
import { DROP_CONNECTION, GatewayStandIn, type Handler } from '../gateway-stand-in.ts';

const key = generateKeyPair(systemRandom);
const DRAFT = { type: 'stake-deposit', body: { amount: '5', note: undefined } };
const TERMS = { ledgerId: 'gw-1', timeMs: 1000, nonce: 7 };

let gateway: GatewayStandIn | undefined;
afterEach(async () => {
  await gateway?.[Symbol.asyncDispose]();
});

describe('a signed order', () => {
  it('is a statement to its ledger that anybody can verify', () => {
    const { type, body, signatures } = signOrder(key, DRAFT, TERMS);
    const [signature] = signatures;
    expect(signature).toMatchObject({ audience: 'gw-1', nonce: '7', issuedAtMs: 1000, expiresAtMs: 601_000 });
    const question = { domain: 'ledger-order', nowMs: 1000 };
    const statement = { ...signature, body: { type, body } };
    expect(verifyStatement(statement, { ...question, audience: 'gw-1' }).status).toBe('valid');
    expect(verifyStatement(statement, { ...question, audience: 'gw-2' }).status).toBe('foreign');
    const other = { ...statement, body: { type, body: { amount: '6' } } };
    expect(verifyStatement(other, { ...question, audience: 'gw-1' }).status).toBe('forged');
  });

  it('takes one signature after the other, and is written canonically', () => {
    const both = signOrder(generateKeyPair(systemRandom), signOrder(key, DRAFT, TERMS), TERMS);
    expect(both.signatures).toHaveLength(2);
    const text = orderText(both);
    expect(text).toMatch(/^\{"body":\{"amount":"5"\},"signatures":\[\{"audience":/);
    expect(orderText(JSON.parse(text) as SignedOrder)).toBe(text);
  });

  it('has ids and nonces that rise with time', () => {
    const random = seededRandom(1);
    const time = Date.UTC(2026, 10, 20);
    const owner = addressOf(key.publicKey);
    const id = newOrderId(time, random, owner);
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(id.slice(12, 28)).toBe(Buffer.from(key.publicKey).toString('hex', 0, 8));
    expect(newOrderId(time + 1, random, owner) > id).toBe(true);
    expect(() => newOrderId(time, random, 'nobody')).toThrow('names no Ed25519 key');
    expect(newNonce(time + 1, random)).toBeGreaterThan(newNonce(time, random));
    expect(Number.isSafeInteger(newNonce(Date.UTC(2250, 1), random))).toBe(true);
  });
});

describe('an order that is sent', () => {
  async function sent(answer: Handler): Promise<{ result: string; bodies: readonly unknown[] }> {
    const bodies: unknown[] = [];
    const handler: Handler = (input, call) => {
      bodies.push(input['order']);
      return answer(input, call);
    };
    gateway = await GatewayStandIn.open({ commands: { 'ledger.order': handler } });
    const random = { ...seededRandom(1), fraction: () => 0 };
    const client = openClient({ random }, { url: gateway.url });
    const { result } = await client.order(signOrder(key, DRAFT, TERMS));
    return { result, bodies };
  }

  it('is repeated byte by byte when no answer comes, and was done if the ledger says so', async () => {
    const { result, bodies } = await sent((_, call) =>
      call < 3 ? DROP_CONNECTION : { result: 'order-repeated', says: 'Done before.' },
    );
    expect(result).toBe('ok');
    expect(bodies).toHaveLength(3);
    expect(new Set(bodies).size).toBe(1);
  });

  it('is not repeated when it is refused', async () => {
    const { result, bodies } = await sent(() => ({ result: 'insufficient-funds', says: 'Less is there.' }));
    expect({ result, count: bodies.length }).toEqual({ result: 'insufficient-funds', count: 1 });
  });
});
