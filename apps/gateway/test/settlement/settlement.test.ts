// Shows the settlement role over real HTTP: what a signer needs to know, orders that move tokens once, what
// is refused with its reason, and that neither ledger nor fleet takes the other down.
import { addressOf, generateKeyPair } from '@clawbernetes/identity';
import { MOLT, systemRandom } from '@clawbernetes/kernel';
import { accountId, signerId, signRequest, TransferBatch, type Operation } from '@clawbernetes/ledger';
import { newOrderId } from '@clawbernetes/sdk/signed-order';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startGateway, type RestartableGateway } from '../support/local-gateway.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { waitUntil } from '../support/wait-until.ts';
import { ledgerOpen, Owner } from './owner.ts';

const DEVELOPMENT = ['--settlement', 'development'];

async function startLedger(home?: string): Promise<RestartableGateway> {
  const gateway = await startGateway({}, { args: DEVELOPMENT, ...(home !== undefined && { home }) });
  await ledgerOpen(gateway.api);
  return gateway;
}

test('says what one needs to know to sign, and labels a development network', async () => {
  const { api } = await startLedger();
  const info = await api.call('ledger.info', {});
  expect(info).toMatchObject({ network: 'development', asset: { symbol: 'MOLT', decimals: 9 } });
  expect(info.ledgerId).toBe((await api.call('fleet.status', {})).gatewayId);
  const metrics = await (await api.fetch('/metrics')).text();
  expect(metrics).toMatch(/^clawbernetes_ledger_open 1$/m);
  expect((await api.call('molt.tiers', {})).tiers.map(({ name }) => name)).toContain('bronze');
});

test('an escrow is locked, released, held for its provider, and all of it is there after a restart', async () => {
  const first = await startLedger();
  const buyer = await new Owner(first.api).funded(1000n);
  const provider = await new Owner(first.api).funded(200n);
  expect(await provider.order('stake-deposit', { amount: String(100n * MOLT) })).toBe('ok');
  const escrow = newOrderId(Date.now(), systemRandom, buyer.address);
  const parties = { buyer: buyer.address, provider: provider.address };
  const terms = {
    escrow,
    ...parties,
    amount: String(10n * MOLT),
    release: 'single',
    releaser: buyer.address,
  };
  expect(await buyer.order('escrow-create', terms)).toBe('ok');
  expect(await buyer.order('escrow-fund', { escrow })).toBe('ok');
  expect(await buyer.balance()).toMatchObject({ available: '990000000000', escrowed: '10000000000' });
  expect(await provider.order('escrow-release', { escrow })).toBe('signer-not-allowed');
  expect(await buyer.order('escrow-release', { escrow })).toBe('ok');
  const { api } = await first.restart();
  await ledgerOpen(api);
  const view = await api.call('molt.escrow', { escrow });
  expect(view).toMatchObject({ state: 'released', paid: '10000000000', remaining: '0' });
  expect(view.held).toMatchObject([{ gross: '10000000000', fee: '250000000', contested: false }]);
  expect(await api.call('molt.balance', { owner: provider.address })).toMatchObject({
    available: '100000000000',
    held: '9750000000',
    staked: '100000000000',
  });
});

test('an order counts once, for its ledger only, and a forged one not at all', async () => {
  const { api } = await startLedger();
  const owner = new Owner(api);
  const order = await owner.signed({ type: 'faucet', body: { amount: '5' } });
  expect(await api.call('ledger.order', { order })).toMatchObject({ result: 'ok' });
  expect(await api.call('ledger.order', { order })).toMatchObject({ result: 'order-repeated' });
  expect((await owner.balance()).available).toBe('5');
  const foreign = await owner.signed({ type: 'faucet', body: { amount: '5' } }, 'gw-elsewhere');
  expect(await api.call('ledger.order', { order: foreign })).toMatchObject({ result: 'signature-foreign' });
  const forged = (await owner.signed({ type: 'faucet', body: { amount: '5' } })).replace('"5"', '"6"');
  expect(await api.refusal('ledger.order', { order: forged })).toMatchObject({ code: 'forbidden' });
  expect((await owner.balance()).available).toBe('5');
});

test.each([
  ['1e3', 'amount-malformed'],
  ['１', 'amount-malformed'],
  ['-1', 'amount-malformed'],
  ['1.5', 'amount-malformed'],
  ['0', 'amount-zero'],
  [String(1n << 63n), 'amount-too-large'],
  [String(1n << 128n), 'amount-too-large'],
])('an amount of %s is refused with %s', async (amount, code) => {
  const { api } = await startLedger();
  const owner = new Owner(api);
  expect(await owner.order('faucet', { amount })).toBe(code);
  expect((await owner.balance()).total).toBe('0');
});

test('an audit recomputes it and finds nothing', async () => {
  const { api } = await startLedger();
  await new Owner(api).funded(7n);
  const { audit, sequence, report, progress } = await api.call('ledger.audit', {});
  expect(progress).toEqual({ frames: sequence, of: sequence });
  expect(report?.discrepancies).toEqual([]);
  expect(report?.stateHash).toMatch(/^[0-9a-f]{64}$/);
  expect(report?.totals.assets).toMatchObject([{ held: '7000000000', issued: '-7000000000' }]);
  expect(await api.call('ledger.audit', { audit })).toMatchObject({ audit, sequence, report });
  const again = await api.call('ledger.audit', {});
  expect({ ...again, audit: audit !== again.audit }).toMatchObject({ audit: true, sequence, report });
  expect(await api.refusal('ledger.audit', { audit: 'au-none' })).toMatchObject({ code: 'not-found' });
});

test('without the role every command says how to get it', async () => {
  const { api } = await startGateway();
  for (const name of ['ledger.info', 'ledger.audit', 'molt.tiers']) {
    const { code, message } = await api.refusal(name, {});
    expect({ code, message }).toEqual({
      code: 'command-disabled',
      message: expect.stringContaining('--settlement development'),
    });
  }
  expect((await api.call('fleet.status', {})).settlement).toBeUndefined();
});

test('a ledger that cannot be opened leaves the fleet serving, says why, and opens by itself later', async () => {
  const home = await tempFolder();
  const blocked = join(home, 'gateway', 'ledger.sqlite');
  await mkdir(blocked, { recursive: true, mode: 0o700 });
  await writeFile(join(blocked, 'in-the-way'), '');
  const { api } = await startGateway({}, { home, args: DEVELOPMENT });
  const status = await waitUntil('the failure shows', async () => {
    const found = await api.call('fleet.status', {});
    return found.settlement?.state === 'failed' && found;
  });
  expect(status.warnings[0]).toMatch(/^The ledger cannot be used: .*ledger\.sqlite/);
  expect(await (await api.fetch('/healthz')).json()).toMatchObject({ status: 'ok', settlement: 'failed' });
  expect(await api.refusal('ledger.info', {})).toMatchObject({ code: 'storage-unavailable', status: 503 });
  await api.call('config.create', { key: 'fleet', value: 'works' });
  await rm(blocked, { recursive: true });
  await ledgerOpen(api);
  expect((await api.call('ledger.info', {})).network).toBe('development');
});

test('a ledger stays the network that it was made for', async () => {
  const { home, stop } = await startLedger();
  await stop();
  const { api } = await startGateway({}, { home, args: ['--settlement', 'main'] });
  const { message } = await waitUntil('it is refused', async () => {
    const { settlement } = await api.call('fleet.status', {});
    return settlement?.state === 'failed' && settlement;
  });
  expect(message).toContain('development network for good');
});

test('a batch is booked for whoever signed it: once, in order, and with a reason for each item', async () => {
  const { api } = await startLedger();
  const { ledgerId, timeMs } = await api.call('ledger.info', {});
  const [payer, payee] = [await new Owner(api).funded(10n), new Owner(api)];
  const { key, address: signer } = payer;
  const submit = (operation: Operation, from = signer) => {
    const { nonce = 0, expiresAtMs = 0, signature = new Uint8Array() } = operation.authority ?? {};
    const [items, signed] = [operation.items, signature].map((bytes) =>
      Buffer.from(bytes).toString('base64url'),
    );
    const said = { signer: from, nonce, expiresAtMs, signature: signed };
    return api.post('ledger.submit', JSON.stringify({ kind: operation.kind, items, ...said }));
  };
  const request = { ledgerId, expiresAtMs: timeMs + 60_000 };
  const [debitAccount = 0n, creditAccount = 0n] = [payer, payee].map(({ address: owner }) =>
    accountId({ kind: 'available', owner }, 1),
  );
  const pays = (nonce: number, id: bigint): Operation => {
    const batch = new TransferBatch(1);
    batch.add({ id, debitAccount, creditAccount, amount: 5n, code: 1 });
    return signRequest(key, { ...request, kind: 'transfers', items: batch.bytes, nonce });
  };
  const own = (number: number): bigint => signerId(timeMs, key.publicKey, number);
  expect((await submit(pays(1, own(1)))).body).toMatchObject({ results: ['credit-account-not-found'] });
  expect(await payee.order('account-open', {})).toBe('ok');
  const paying = pays(3, own(2));
  expect((await submit(paying)).body).toMatchObject({ results: ['ok'] });
  const id = creditAccount.toString(16).padStart(32, '0');
  expect(await api.call('ledger.account', { account: id })).toMatchObject({ asset: 1, creditsPosted: '5' });
  const { publicKey } = payee.key;
  expect((await submit(pays(4, signerId(timeMs, publicKey, 1)))).body).toMatchObject({
    results: ['id-foreign'],
    meanings: { 'id-foreign': expect.stringContaining('an id of your own') },
  });
  expect(await submit({ ...paying, kind: 'accounts' })).toMatchObject({ status: 400 });
  expect((await submit(pays(2, own(3)))).body).toMatchObject({ results: ['nonce-used'] });
  const foreign = signRequest(key, {
    ...request,
    ledgerId: 'gw-2',
    kind: 'transfers',
    items: paying.items,
    nonce: 9,
  });
  expect(await submit(foreign)).toMatchObject({ status: 403, body: { code: 'forbidden' } });
  const other = addressOf(generateKeyPair(systemRandom).publicKey);
  expect(await submit(paying, other)).toMatchObject({ status: 403 });
  const torn = { ...paying, items: paying.items.subarray(1) };
  expect(await submit(torn)).toMatchObject({ status: 400, body: { code: 'invalid-input' } });
});

test('a statement reconciles page by page, and earnings are what was paid less its fees', async () => {
  const { api } = await startLedger();
  const buyer = await new Owner(api).funded(1000n);
  const provider = await new Owner(api).funded(200n);
  await provider.order('stake-deposit', { amount: String(100n * MOLT) });
  const jobs = 5;
  for (let job = 1; job <= jobs; job += 1) {
    const escrow = newOrderId(Date.now(), systemRandom, buyer.address);
    const parties = { buyer: buyer.address, provider: provider.address, releaser: buyer.address };
    const terms = { escrow, ...parties, amount: String(BigInt(job) * MOLT), release: 'single' };
    for (const [type, body] of [
      ['create', terms],
      ['fund', { escrow }],
      ['release', { escrow }],
    ] as const)
      expect(await buyer.order(`escrow-${type}`, body)).toBe('ok');
  }
  const earned = await api.call('molt.earnings', { owner: provider.address });
  expect(earned).toMatchObject({
    ...{ gross: '15000000000', fees: '375000000', net: '14625000000', jobs, average: '2925000000' },
    ...{ held: '14625000000', available: '100000000000', isComplete: true },
  });
  expect(earned.byJob[0]).toMatchObject({ buyer: buyer.address, net: '4875000000' });
  const { owner, account } = { owner: provider.address, account: 'held' } as const;
  const rows = [];
  let page = await api.call('molt.statement', { owner, account, limit: 3 });
  const { opening, closing } = page;
  for (rows.push(...page.movements); page.next !== undefined; rows.push(...page.movements))
    page = await api.call('molt.statement', { owner, account, limit: 3, cursor: page.next });
  expect(rows).toHaveLength(2 * jobs);
  expect(rows.reduce((sum, { amount }) => sum + BigInt(amount), BigInt(opening))).toBe(BigInt(closing));
  expect(rows.slice(0, 2)).toMatchObject([
    { kind: 'job-fee', amount: '-125000000', fee: '125000000', counterparty: 'fees' },
    { kind: 'escrow-release', amount: '5000000000', fee: '0', counterparty: buyer.address },
  ]);
  const future = { fromMs: Date.now() + 3_600_000 };
  expect(await api.call('molt.statement', { owner, account, ...future })).toMatchObject({
    ...{ opening: closing, closing, movements: [] },
  });
});

test('its owner acts as operator and council: pays out, takes in, resolves', async () => {
  const { api } = await startLedger();
  const buyer = await new Owner(api).funded(1000n);
  const provider = await new Owner(api).funded(200n);
  const operate = async (
    type: 'withdrawal-report' | 'deposit' | 'escrow-resolve',
    body: Record<string, string>,
  ) => (await api.call('ledger.operate', { type, body })).result;
  const [withdrawal, deposit, escrow] = [0, 1, 2].map(() =>
    newOrderId(Date.now(), systemRandom, buyer.address),
  );
  if (!withdrawal || !deposit || !escrow) throw new Error('three ids were made');
  const leaving = { withdrawal, amount: String(MOLT), to: provider.address, speed: 'instant' };
  expect(await buyer.order('withdraw', leaving)).toBe('ok');
  expect((await api.call('ledger.withdrawals', {})).withdrawals).toMatchObject([
    { withdrawal, state: 'requested' },
  ]);
  expect(await operate('withdrawal-report', { withdrawal, status: 'sent', reference: 'tx-1' })).toBe('ok');
  expect(await operate('withdrawal-report', { withdrawal, status: 'confirmed' })).toBe('ok');
  expect(await api.call('molt.withdrawal', { withdrawal })).toMatchObject({
    state: 'confirmed',
    reference: 'tx-1',
  });
  expect((await api.call('ledger.withdrawals', {})).withdrawals).toEqual([]);
  const coming = { deposit, owner: buyer.address, amount: String(MOLT), reference: 'tx-2' };
  expect([await operate('deposit', coming), await operate('deposit', coming)]).toEqual(['ok', 'id-used']);
  const twice = { ...coming, deposit: newOrderId(Date.now(), systemRandom, buyer.address) };
  const { result, says } = await api.call('ledger.operate', { type: 'deposit', body: twice });
  expect([result, says]).toEqual(['reference-used', expect.stringContaining(deposit)]);
  expect(await provider.order('stake-deposit', { amount: String(100n * MOLT) })).toBe('ok');
  const parties = { buyer: buyer.address, provider: provider.address, releaser: buyer.address };
  const terms = { escrow, ...parties, amount: String(4n * MOLT), release: 'single' };
  for (const [type, body] of [
    ['create', terms],
    ['fund', { escrow }],
    ['dispute', { escrow, reason: 'why' }],
  ] as const)
    expect(await buyer.order(`escrow-${type}`, body)).toBe('ok');
  const split = { escrow, toBuyer: String(3n * MOLT), toProvider: String(MOLT) };
  expect(await operate('escrow-resolve', split)).toBe('ok');
  expect(await api.call('molt.escrow', { escrow })).toMatchObject({
    state: 'resolved',
    refunded: '3000000000',
  });
});

test('a ledger keeps its id, for which people sign, under another gateway', async () => {
  const first = await startLedger();
  const { ledgerId } = await first.api.call('ledger.info', {});
  const owner = await new Owner(first.api).funded(3n);
  await first.stop();
  await rm(join(first.home, 'gateway', 'gateway.key'));
  const { api } = await startLedger(first.home);
  expect((await api.call('fleet.status', {})).gatewayId).not.toBe(ledgerId);
  expect((await api.call('ledger.info', {})).ledgerId).toBe(ledgerId);
  expect(await api.call('molt.balance', { owner: owner.address })).toMatchObject({ total: '3000000000' });
  const amount = String(MOLT);
  const deposit = {
    deposit: newOrderId(Date.now(), systemRandom, owner.address),
    owner: owner.address,
    amount,
    reference: 'x',
  };
  const { result } = await api.call('ledger.operate', { type: 'deposit', body: deposit });
  expect(result).toBe('signer-not-allowed');
});
