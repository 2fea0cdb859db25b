// Shows that two strangers, each with a wallet of his own, lock, earn and withdraw tokens with the real
// command at a real gateway; that a gateway killed in between has all that it acknowledged.
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LedgerGateway, Stranger } from './ledger-gateway.ts';

interface EscrowView {
  readonly escrow: string;
  readonly state: string;
  readonly remaining: string;
  readonly held: readonly { readonly gross: string; readonly fee: string; readonly availableAtMs: number }[];
}

let gateway: LedgerGateway;
let buyer: Stranger;
let provider: Stranger;
beforeEach(async () => {
  gateway = await LedgerGateway.open();
  buyer = await Stranger.open(gateway);
  provider = await Stranger.open(gateway);
  await buyer.does('molt', 'faucet', '1000');
  await provider.does('molt', 'faucet', '200');
  await provider.does('molt', 'stake', 'deposit', '100');
});
afterEach(async () => {
  await gateway[Symbol.asyncDispose]();
  await buyer[Symbol.asyncDispose]();
  await provider[Symbol.asyncDispose]();
});

function lock(amount: string, ...options: string[]): Promise<EscrowView> {
  return buyer.does(
    'molt',
    'escrow',
    'create',
    '--provider',
    provider.address,
    '--amount',
    amount,
    ...options,
  );
}

describe('an escrow', () => {
  it('is locked, completed, released in part and refunded', async () => {
    const { escrow, state } = await lock('12.5');
    expect(state).toBe('funded');
    expect(await buyer.balance()).toMatchObject({ available: '987500000000', escrowed: '12500000000' });
    expect(await provider.does('molt', 'escrow', 'complete', escrow)).toMatchObject({ state: 'completed' });
    const released = await buyer.does<EscrowView>('molt', 'escrow', 'release', escrow, '--amount', '10');
    expect(released).toMatchObject({ remaining: '2500000000' });
    expect(released.held).toMatchObject([{ gross: '10000000000', fee: '250000000' }]);
    expect(await provider.balance()).toMatchObject({ available: '100000000000', held: '9750000000' });
    expect(await provider.does('molt', 'escrow', 'refund', escrow)).toMatchObject({ state: 'refunded' });
    expect(await buyer.balance()).toMatchObject({ available: '990000000000', escrowed: '0' });
  });

  it('of both is released by an order that travels from one to the other as a file', async () => {
    const { escrow } = await lock('5', '--release', 'both');
    const file = path.join(buyer.home, 'release.json');
    const alone = await buyer.signs('molt', 'escrow', 'release', escrow);
    expect(alone).toMatchObject({ code: 3, stderr: expect.stringContaining('has to sign has not') });
    const saved = await buyer.signs('molt', 'escrow', 'release', escrow, '--save', file);
    expect(saved).toMatchObject({ code: 0, stderr: expect.stringContaining('clawbernetes molt sign') });
    expect(await buyer.balance()).toMatchObject({ escrowed: '5000000000' });
    await provider.does('molt', 'sign', file);
    expect(await buyer.asks('molt', 'escrow', 'show', escrow)).toMatchObject({ state: 'released' });
    const again = await provider.signs('molt', 'sign', file);
    expect(again.code).not.toBe(0);
    expect((await provider.balance()).held).toBe('4875000000');
  });

  it('that is contested is split by whoever resolves it, and only what is contested is frozen', async () => {
    const arbiter = await Stranger.open(gateway);
    const { escrow } = await lock('10', '--arbiter', arbiter.address);
    await buyer.does('molt', 'escrow', 'release', escrow);
    const reason = ['--reason', 'half of it is empty', '--amount', '4'];
    expect(await buyer.does('molt', 'escrow', 'dispute', escrow, ...reason)).toMatchObject({
      state: 'disputed',
    });
    const split = ['--to-buyer', '3', '--to-provider', '1'];
    const early = await buyer.signs('molt', 'escrow', 'resolve', escrow, ...split);
    expect(early).toMatchObject({ code: 3, stderr: expect.stringContaining('no say') });
    await arbiter.does('molt', 'escrow', 'resolve', escrow, ...split);
    expect((await provider.balance()).held).toBe('5850000000');
    await arbiter[Symbol.asyncDispose]();
  });
});

it('a withdrawal leaves at once or with the next batch, and the same one only once', async () => {
  const normal = await buyer.does('molt', 'withdraw', '2.000000001', '--to', provider.address);
  expect(normal).toMatchObject({ state: 'requested', amount: '2000000001', fee: '0', speed: 'normal' });
  const instant = await provider.does<{ withdrawal: string }>(
    ...['molt', 'withdraw', '--all', '--to', buyer.address, '--instant'],
  );
  expect(instant).toMatchObject({ amount: '100000000000', fee: '1000000000', speed: 'instant' });
  const { withdrawal } = instant;
  const twice = await provider.signs('molt', 'withdraw', '1', '--to', buyer.address, '--id', withdrawal);
  expect(twice).toMatchObject({ code: 1, stderr: expect.stringContaining('has this id already') });
  expect(await provider.asks('molt', 'withdrawal', withdrawal)).toMatchObject({ state: 'requested' });
  expect(await provider.balance()).toMatchObject({ available: '0', staked: '100000000000' });
});

describe('a gateway that is killed', () => {
  it('has all that it acknowledged, and an audit of it finds nothing', async () => {
    const { escrow } = await lock('7');
    const before = [await buyer.balance(), await provider.balance()];
    await gateway.kill();
    const away = await buyer.run('molt', 'balance');
    expect(away).toMatchObject({ code: 2, stderr: expect.stringContaining('Cannot reach the gateway') });
    await gateway.startAgain();
    expect([await buyer.balance(), await provider.balance()]).toEqual(before);
    await buyer.does('molt', 'escrow', 'release', escrow);
    const report = await buyer.asks<{ stateHash: string; discrepancies: unknown[] }>('ledger', 'audit');
    expect(report).toMatchObject({ stateHash: expect.stringMatching(/^[0-9a-f]{64}$/), discrepancies: [] });
  });
});
