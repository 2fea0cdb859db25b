// Shows that of many things that are due at once 10,000 happen in a frame, the next ones in the next.
import { addressOf } from '@clawbernetes/identity';
import { expect, test } from 'vitest';
import { OrderWorld } from './order-world.ts';

const DAY_MS = 86_400_000;

function owner(number: number): string {
  const key = new Uint8Array(32).fill(1);
  new DataView(key.buffer).setUint32(0, number);
  return addressOf(key);
}

test('those left over are done with the next frame, before its orders', () => {
  const at = new OrderWorld({ settings: { maxOpen: 20_000 }, maxAccounts: 20_000 });
  const body = { amount: 1n };
  for (let number = 0; number <= 10_000; number += 1) {
    const signature = { audience: 'ledger-1', nonce: '1', issuedAtMs: 0, expiresAtMs: at.timeMs + 1 };
    const signatures = [{ ...signature, signer: owner(number), signature: 'unverified' }];
    // As if read from bytes, whose signatures were verified.
    const order = { type: 'faucet', body, written: {}, signatures, digest: String(number) } as const;
    expect(at.orders.apply(order, at.timeMs).code).toBe('ok');
  }
  const dueMs = at.timeMs + DAY_MS;
  expect(at.orders.nextDueMs).toBe(dueMs);
  at.machine.advance(dueMs);
  at.orders.advance(dueMs);
  expect(at.orders.nextDueMs).toBe(dueMs);
  const records = Buffer.from(at.orders.snapshot().bytes()).toString().split('\n');
  expect(records.filter((record) => record.startsWith('["faucet"'))).toHaveLength(1);
  at.orders.advance(dueMs);
  expect(at.orders.nextDueMs).toBe(Infinity);
});
