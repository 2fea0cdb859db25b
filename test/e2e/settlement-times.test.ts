// Shows that what time does to tokens happens by itself at a real gateway: earnings are held for the dispute
// window, stake unbonds for seven days, an escrow that nobody settles goes back; also across a kill -9. A
// clock that jumps under the gateway brings nothing of it: whoever restarts the gateway says that it is
// right.
import { addressOf, generateKeyPair, type KeyPair } from '@clawbernetes/identity';
import { MOLT, systemRandom } from '@clawbernetes/kernel';
import type { CommandOutput } from '@clawbernetes/protocol';
import type { OrderDraft } from '@clawbernetes/sdk';
import { newNonce, newOrderId, signOrder } from '@clawbernetes/sdk/signed-order';
import { describe, expect, it, vi } from 'vitest';
import { RealFleet } from './support/real-fleet.ts';
import { clockShiftMissing as missing, ShiftedClock } from './support/shifted-clock.ts';
import { until } from './support/until.ts';

vi.setConfig({ testTimeout: 120_000 });
const DAY_S = 86_400;

class Owner {
  readonly #key: KeyPair = generateKeyPair(systemRandom);
  readonly #fleet: RealFleet;
  readonly address = addressOf(this.#key.publicKey);

  constructor(fleet: RealFleet) {
    this.#fleet = fleet;
  }

  async does(type: string, body: OrderDraft['body']): Promise<void> {
    const { client } = this.#fleet;
    const { ledgerId, timeMs } = await client.command('ledger.info', {});
    const nonce = newNonce(timeMs, systemRandom);
    const order = signOrder(this.#key, { type, body }, { ledgerId, timeMs, nonce });
    expect(await client.order(order)).toMatchObject({ result: 'ok' });
  }

  balance(): Promise<CommandOutput<'molt.balance'>> {
    return this.#fleet.client.command('molt.balance', { owner: this.address });
  }

  async untilHas(expected: Partial<CommandOutput<'molt.balance'>>): Promise<void> {
    await until(`a balance becomes ${JSON.stringify(expected)}`, async () => {
      const balance: Record<string, string> = await this.balance();
      return Object.entries(expected).every(([part, amount]) => balance[part] === amount);
    });
  }
}

async function ledgerOpen({ client }: RealFleet): Promise<void> {
  await until('the ledger is open', async () => {
    const { settlement } = await client.command('fleet.status', {});
    return settlement?.state === 'open';
  });
}

/** It says how far its clock is off, and that its ledger does not follow. */
async function untilWarned({ client }: RealFleet): Promise<void> {
  await until('the jump is seen', async () => {
    const { clockAheadMs } = await client.command('ledger.info', {});
    return Math.abs(clockAheadMs - (DAY_S + 60) * 1000) < 60_000;
  });
  const { warnings } = await client.command('fleet.status', {});
  expect(warnings.join('\n')).toMatch(/1441 min ahead of the time of the ledger/);
}

describe.skipIf(missing !== undefined)(`a ledger in time${missing ? ` [skipped: ${missing}]` : ''}`, () => {
  it('pays what was held, returns what unbonds, refunds what nobody settles', async () => {
    await using clock = await ShiftedClock.open();
    const gatewayArgs = ['--settlement', 'development'];
    await using fleet = await RealFleet.open([], { gatewayEnv: clock.env, gatewayArgs });
    await ledgerOpen(fleet);
    const [buyer, provider] = [new Owner(fleet), new Owner(fleet)];
    await buyer.does('faucet', { amount: String(100n * MOLT) });
    await provider.does('faucet', { amount: String(200n * MOLT) });
    await provider.does('stake-deposit', { amount: String(150n * MOLT) });
    const { timeMs } = await fleet.client.command('ledger.info', {});
    const newId = (): string => newOrderId(timeMs, systemRandom, buyer.address);
    const [paid, left] = [newId(), newId()];
    for (const escrow of [paid, left]) {
      const parties = { buyer: buyer.address, provider: provider.address, releaser: buyer.address };
      const terms = { escrow, ...parties, amount: String(10n * MOLT), release: 'single' };
      await buyer.does('escrow-create', terms);
      await buyer.does('escrow-fund', { escrow });
    }
    await buyer.does('escrow-release', { escrow: paid });
    await provider.does('stake-withdraw', { amount: String(50n * MOLT) });
    expect(await provider.balance()).toMatchObject({ available: '50000000000', held: '9750000000' });
    await clock.jumpTo(DAY_S + 60);
    await untilWarned(fleet);
    expect(await provider.balance()).toMatchObject({ available: '50000000000', held: '9750000000' });
    await fleet.restartGateway();
    await ledgerOpen(fleet);
    await provider.untilHas({ available: '59750000000', held: '0', unbonding: '50000000000' });
    await clock.jumpTo(7 * DAY_S + 60);
    await fleet.restartGateway();
    await ledgerOpen(fleet);
    await provider.untilHas({ available: '109750000000', unbonding: '0', staked: '100000000000' });
    await buyer.untilHas({ available: '90000000000', escrowed: '0' });
    const { discrepancies } = await fleet.client.audit();
    expect(discrepancies).toEqual([]);
  });
});
