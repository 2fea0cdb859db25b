// Shows lists of escrows and agreements over real HTTP: newest first, by pages that neither repeat nor leave
// out, filtered by state and part, nothing of other owners, and the same after a restart.
import { MOLT, systemRandom } from '@clawbernetes/kernel';
import { newOrderId } from '@clawbernetes/sdk/signed-order';
import { expect, test } from 'vitest';
import type { ApiClient } from '../support/api-client.ts';
import { startGateway } from '../support/local-gateway.ts';
import { ledgerOpen, Owner } from './owner.ts';

async function fundedEscrow(api: ApiClient, buyer: Owner, provider: Owner, n: number): Promise<string> {
  const { timeMs } = await api.call('ledger.info', {});
  // Of different ms, so that their order is known.
  const escrow = newOrderId(timeMs - 60_000 + n, systemRandom, buyer.address);
  const parties = { buyer: buyer.address, provider: provider.address };
  const terms = { amount: String(MOLT), release: 'single', releaser: buyer.address };
  expect(await buyer.order('escrow-create', { escrow, ...parties, ...terms })).toBe('ok');
  expect(await buyer.order('escrow-fund', { escrow })).toBe('ok');
  return escrow;
}

/** All pages, one after the other. */
async function allOf(
  api: ApiClient,
  owner: string,
  filter: { role?: 'buyer' | 'provider' },
): Promise<string[]> {
  const found: string[] = [];
  for (let cursor: string | undefined; ;) {
    const place = cursor === undefined ? {} : { cursor };
    const { escrows, next } = await api.call('molt.escrows', { owner, limit: 3, ...filter, ...place });
    expect(escrows.length).toBeLessThanOrEqual(3);
    found.push(...escrows.map(({ escrow }) => escrow));
    if (next === undefined) return found;
    cursor = next;
  }
}

test('escrows of an owner come by pages, the newest first', async () => {
  const gateway = await startGateway({}, { args: ['--settlement', 'development'] });
  const { api } = gateway;
  await ledgerOpen(api);
  const buyer = await new Owner(api).funded(1000n);
  const provider = await new Owner(api).funded(200n);
  expect(await provider.order('stake-deposit', { amount: String(100n * MOLT) })).toBe('ok');
  const made: string[] = [];
  for (let n = 0; n < 7; n += 1) made.unshift(await fundedEscrow(api, buyer, provider, n));
  expect(await buyer.order('escrow-release', { escrow: made[2] ?? '' })).toBe('ok');

  for (const { address } of [buyer, provider]) expect(await allOf(api, address, {})).toEqual(made);
  expect(await allOf(api, provider.address, { role: 'buyer' })).toEqual([]);
  const released = await api.call('molt.escrows', { owner: provider.address, state: 'released' });
  expect(released).toMatchObject({ escrows: [{ escrow: made[2], roles: ['provider'], paid: '1000000000' }] });
  expect(released).not.toHaveProperty('next');
  const { escrows } = await api.call('molt.escrows', { owner: buyer.address, limit: 1 });
  expect(escrows).toMatchObject([{ roles: ['buyer', 'releaser'], state: 'funded', remaining: '1000000000' }]);
  expect(await allOf(api, new Owner(api).address, {})).toEqual([]);

  const { api: later } = await gateway.restart();
  await ledgerOpen(later);
  expect(await allOf(later, buyer.address, { role: 'buyer' })).toEqual(made);
});

test('what is asked wrongly is said', async () => {
  const { api } = await startGateway({}, { args: ['--settlement', 'development'] });
  await ledgerOpen(api);
  const { address: owner } = new Owner(api);
  const wrong: readonly [string, object, string][] = [
    ['molt.escrows', { owner, limit: 201 }, 'invalid-input'],
    ['molt.escrows', { owner, state: 'lost' }, 'invalid-input'],
    ['molt.escrows', { owner, cursor: '../etc' }, 'invalid-input'],
    ['molt.escrows', { owner: '1'.repeat(33) }, 'invalid-input'],
    ['molt.agreements', { owner, role: 'arbiter' }, 'invalid-input'],
    ['molt.agreement', { agreement: '0'.repeat(32) }, 'not-found'],
  ];
  for (const [name, input, code] of wrong) expect(await api.refusal(name, input)).toMatchObject({ code });
  expect(await api.call('molt.agreements', { owner })).toEqual({ owner, agreements: [] });
});
