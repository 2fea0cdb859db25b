// Shows that orders which one signer sends without waiting for answers are carried out in their order, though
// several threads verify them: his nonces rise, so any other order would be refused.
import { silentLogger, systemClock, systemRandom } from '@clawbernetes/kernel';
import { encodeOrder, Ledger, LEDGER_SCHEMA } from '@clawbernetes/ledger';
import { orderResultName } from '@clawbernetes/orders';
import { MemoryDisk, openMemoryStore } from '@clawbernetes/storage';
import { expect, test } from 'vitest';
import { WorkerThreads } from '../../src/service/ledger-threads.ts';
import { LEDGER, OrderWorld, SETTINGS } from '../orders/order-world.ts';

const ORDERS = 300;

test('orders keep the order in which their signer sent them', async () => {
  const host = { clock: systemClock, random: systemRandom, logger: silentLogger };
  await using store = await openMemoryStore(host, new MemoryDisk(host), { schema: LEDGER_SCHEMA });
  const deps = { ...host, store, threads: new WorkerThreads({ threads: 3 }) };
  await using ledger = await Ledger.open(deps, { ledgerId: LEDGER });
  const say = async (items: Uint8Array): Promise<string | undefined> => {
    const [code = -1] = await ledger.submit({ kind: 'orders', items });
    return orderResultName(code);
  };
  const settings = encodeOrder({ type: 'ledger-open', body: SETTINGS, signatures: [] });
  expect(await say(settings)).toBe('ok');
  const world = new OrderWorld();
  world.timeMs = systemClock.nowMs();
  const body = { amount: '1' };
  const orders = Array.from({ length: ORDERS }, () => {
    const signature = world.sign('buyer', 'faucet', body, { expiresAtMs: world.timeMs + 600_000 });
    return encodeOrder({ type: 'faucet', body, signatures: [signature] });
  });
  const results = await Promise.all(orders.map(say));
  expect(results).toEqual(orders.map(() => 'ok'));
  // The other way round only the first counts.
  const late = orders.toReversed().slice(0, 3);
  expect(await Promise.all(late.map(say))).toEqual(['order-repeated', 'nonce-replayed', 'nonce-replayed']);
});
