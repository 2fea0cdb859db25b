// Shows that orders survive in the journal of the ledger: replayed, and from a checkpoint, they are the same.
import { generateKeyPair } from '@clawbernetes/identity';
import { MOLT, seededRandom, silentLogger, type Logger } from '@clawbernetes/kernel';
import { VirtualClock } from '@clawbernetes/kernel/testing';
import { encodeAccounts, Ledger, LEDGER_SCHEMA } from '@clawbernetes/ledger';
import { SameThread } from '@clawbernetes/ledger/testing';
import { ORDER_RESULTS, type OrderType } from '@clawbernetes/orders';
import { MemoryDisk, openMemoryStore, type Store } from '@clawbernetes/storage';
import { expect, test } from 'vitest';
import { encodeOrder } from '../../src/orders/order.ts';
import { address, ASSET, LEDGER, molt, OrderWorld, SETTINGS, START_MS, type Name } from './order-world.ts';

const DAY_MS = 86_400_000;

/** A ledger on a simulated disk, with orders as the world of tests signs them. */
class DurableWorld {
  readonly clock = new VirtualClock({ startMs: START_MS });
  readonly random = seededRandom(3);
  readonly #disk = new MemoryDisk({ clock: this.clock, random: this.random }, { minMs: 0, maxMs: 1 });
  readonly #signing = new OrderWorld();
  #store: Store | undefined;
  /** Frames that the latest opening has replayed. */
  replayed = -1;
  readonly #logger: Logger = {
    ...silentLogger,
    info: (_message, facts) => {
      this.replayed = Number(facts?.['frames']);
    },
  };

  async open(heldIds: number): Promise<Ledger> {
    const { clock, random } = this;
    const store = await openMemoryStore({ clock }, this.#disk, { schema: LEDGER_SCHEMA });
    this.#store = store;
    const deps = { clock, random, logger: this.#logger, threads: new SameThread(), store };
    return Ledger.open(deps, { ledgerId: LEDGER, heldIds });
  }

  async close(ledger: Ledger): Promise<void> {
    const closed = ledger[Symbol.asyncDispose]().then(() => this.#store?.[Symbol.asyncDispose]());
    await this.clock.advance(100);
    await closed;
  }

  terms(): ReturnType<OrderWorld['terms']> {
    return this.#signing.terms({ deadlineMs: this.clock.nowMs() + 2 * DAY_MS });
  }

  async do(
    ledger: Ledger,
    type: OrderType,
    body: Parameters<OrderWorld['sign']>[2],
    signers: readonly Name[],
  ) {
    this.#signing.timeMs = this.clock.nowMs();
    const signatures = signers.map((name) => this.#signing.sign(name, type, body));
    return this.submit(ledger, encodeOrder({ type, body, signatures }));
  }

  async submit(ledger: Ledger, items: Uint8Array): Promise<number | undefined> {
    const answer = ledger.submit({ kind: 'orders', items });
    answer.catch(() => undefined);
    await this.clock.advance(20);
    return (await answer)[0];
  }
}

test.each([
  ['the whole journal', 1_000_000],
  ['a checkpoint', 4],
])('from %s', async (_from, heldIds) => {
  const at = new DurableWorld();
  const first = await at.open(heldIds);
  expect(await at.do(first, 'ledger-open', SETTINGS, [])).toBe(0);
  expect(await at.do(first, 'faucet', { amount: molt(1000) }, ['buyer'])).toBe(0);
  expect(await at.do(first, 'faucet', { amount: molt(200) }, ['provider'])).toBe(0);
  expect(await at.do(first, 'stake-deposit', { amount: molt(100) }, ['provider'])).toBe(0);
  const terms = at.terms();
  const { escrow } = terms;
  expect(await at.do(first, 'escrow-create', terms, ['buyer'])).toBe(0);
  expect(await at.do(first, 'escrow-fund', { escrow }, ['buyer'])).toBe(0);
  expect(await at.do(first, 'escrow-fund', { escrow }, ['buyer'])).toBe(
    ORDER_RESULTS['escrow-wrong-state'].code,
  );
  expect(await at.do(first, 'escrow-release', { escrow, amount: molt(40) }, ['buyer'])).toBe(0);
  for (let draws = 0; draws < 40; draws += 1)
    expect(await at.do(first, 'faucet', { amount: '1' }, ['other'])).toBe(0);
  await at.clock.advance(1000);
  const [snapshot, audited] = [first.orders.snapshot(), await first.audit()];
  await at.close(first);
  const second = await at.open(heldIds);
  expect(Buffer.from(second.orders.snapshot().bytes()).toString()).toBe(
    Buffer.from(snapshot.bytes()).toString(),
  );
  expect(await second.audit()).toEqual(audited);
  if (heldIds === 4) expect(at.replayed).toBeLessThan(audited.sequence);
  else expect(at.replayed).toBe(audited.sequence);
  expect(second.orders.deviations()).toEqual([]);
  // Nobody asks for anything, and yet what was earned becomes available and the deadline passes.
  await at.clock.advance(2 * DAY_MS + 1000);
  await second.settled();
  expect(second.orders.escrow(escrow)?.state).toBe('refunded');
  expect(second.orders.balance({ kind: 'available', owner: address('provider') })).toBe(139n * MOLT);
  expect(second.orders.balance({ kind: 'available', owner: address('buyer') })).toBe(960n * MOLT);
  await at.close(second);
});

test('what is forged, foreign to orders or too long never enters the journal', async () => {
  const at = new DurableWorld();
  const ledger = await at.open(1000);
  expect(await at.do(ledger, 'ledger-open', SETTINGS, [])).toBe(0);
  const body = { amount: molt(1) };
  const world = new OrderWorld();
  const signature = Buffer.alloc(64).toString('base64url');
  const forged = { ...world.sign('buyer', 'faucet', body), signature };
  const order = encodeOrder({ type: 'faucet', body, signatures: [forged] });
  await expect(at.submit(ledger, order)).rejects.toMatchObject({ code: 'signature-invalid' });
  await expect(at.submit(ledger, new Uint8Array(65_537))).rejects.toMatchObject({ code: 'request-invalid' });
  const { sequence } = ledger;
  expect(await at.submit(ledger, new Uint8Array())).toBe(ORDER_RESULTS['order-malformed'].code);
  const zero = encodeOrder({ type: 'faucet', body: { amount: '0' }, signatures: [] });
  expect(await at.submit(ledger, zero)).toBe(ORDER_RESULTS['amount-zero'].code);
  expect(ledger.sequence).toBe(sequence);
  const owner = generateKeyPair(seededRandom(99)).publicKey;
  const items = encodeAccounts([{ id: 5n, owner, floor: 0n, asset: ASSET, code: 1, flags: 0 }]);
  const plain = ledger.submit({ kind: 'accounts', items });
  await at.clock.advance(20);
  expect([...(await plain)]).toEqual([0]);
  await at.close(ledger);
});
