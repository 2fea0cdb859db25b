// Shows that a gateway killed with kill -9 while owners send orders has carried out each of them exactly
// once: whatever was acknowledged is there, and what is sent again after a lost answer is not done twice.
import { MOLT } from '@clawbernetes/kernel';
import { startTestPostgres } from '@clawbernetes/storage/testing';
import { afterAll, expect, test } from 'vitest';
import { GatewayProcess } from '../support/gateway-process.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { waitUntil } from '../support/wait-until.ts';
import { ledgerOpen, Owner } from './owner.ts';

const ORDERS = 60;
const KILLS = 3;

const postgres = await startTestPostgres();
afterAll(async () => {
  if (!('skipped' in postgres)) await postgres[Symbol.asyncDispose]();
});
const reason = 'skipped' in postgres ? ` [skipped: ${postgres.skipped}]` : '';

/** Each order is signed once and sent until it is answered; gateways are killed meanwhile. */
async function expectEachOnce(env: Readonly<Record<string, string>>): Promise<void> {
  const home = await tempFolder();
  const args = ['--port', '0', '--log-level', 'silent', '--settlement', 'development'];
  let running = new GatewayProcess({ home, args, env });
  const api = { now: await running.ready() };
  await ledgerOpen(api.now);
  const owner = new Owner(api.now);
  let answered = 0;
  const send = async (): Promise<void> => {
    for (let order = 0; order < ORDERS; order += 1) {
      const text = await owner.patiently(api, { type: 'faucet', body: { amount: String(MOLT) } });
      expect(['ok', 'order-repeated']).toContain(text);
      answered += 1;
    }
  };
  const sending = send();
  for (let kill = 1; kill <= KILLS; kill += 1) {
    await waitUntil('some are answered', () => answered >= (kill * ORDERS) / (KILLS + 1), 60_000);
    await running.kill();
    running = new GatewayProcess({ home, args, env });
    api.now = await running.ready();
  }
  await sending;
  const { available } = await api.now.call('molt.balance', { owner: owner.address });
  expect(available).toBe(String(BigInt(ORDERS) * MOLT));
  const { report } = await api.now.call('ledger.audit', {});
  expect(report?.discrepancies).toEqual([]);
  expect(await running.stop()).toBe(0);
}

test('on SQLite', () => expectEachOnce({}));

test.skipIf(reason !== '')(`on PostgreSQL${reason}`, async () => {
  if ('skipped' in postgres) return;
  await expectEachOnce({ CLAWBERNETES_DATABASE_URL: await postgres.createDatabase() });
});
