import { addressOf, generateKeyPair, type KeyPair } from '@clawbernetes/identity';
import { MOLT, systemRandom } from '@clawbernetes/kernel';
import { orderText, type OrderDraft } from '@clawbernetes/sdk';
import { newNonce, signOrder } from '@clawbernetes/sdk/signed-order';
import { expect } from 'vitest';
import type { ApiClient } from '../support/api-client.ts';
import { waitUntil } from '../support/wait-until.ts';

export async function ledgerOpen(api: ApiClient): Promise<void> {
  await waitUntil('the ledger is open', async () => {
    const { settlement } = await api.call('fleet.status', {});
    return settlement?.state === 'open';
  });
}

/** Somebody who signs orders with a key of his own. */
export class Owner {
  readonly key: KeyPair = generateKeyPair(systemRandom);
  readonly address = addressOf(this.key.publicKey);
  readonly #api: ApiClient;
  #nonce = 0;

  constructor(api: ApiClient) {
    this.#api = api;
  }

  async signed(draft: OrderDraft, ledger?: string, api = this.#api): Promise<string> {
    const { ledgerId, timeMs } = await api.call('ledger.info', {});
    this.#nonce = Math.max(this.#nonce + 1, newNonce(timeMs, systemRandom));
    return orderText(
      signOrder(this.key, draft, { ledgerId: ledger ?? ledgerId, timeMs, nonce: this.#nonce }),
    );
  }

  async order(type: string, body: OrderDraft['body']): Promise<string> {
    const { result } = await this.#api.call('ledger.order', { order: await this.signed({ type, body }) });
    return result;
  }

  /** Sends one signed order until it is answered, whichever gateway is there then. */
  async patiently(api: { readonly now: ApiClient }, draft: OrderDraft): Promise<string> {
    let order: string | undefined;
    return waitUntil(
      'an order is answered',
      async () => {
        try {
          order ??= await this.signed(draft, undefined, api.now);
          const { status, body } = await api.now.post('ledger.order', JSON.stringify({ order }));
          return status === 200 && (body as unknown as { readonly result: string }).result;
        } catch {
          // The gateway was killed, or is about to start: the same order is sent again.
          return false;
        }
      },
      60_000,
    );
  }

  balance() {
    return this.#api.call('molt.balance', { owner: this.address });
  }

  async funded(molt: bigint): Promise<this> {
    expect(await this.order('faucet', { amount: String(molt * MOLT) })).toBe('ok');
    return this;
  }
}
