// A ledger with orders for tests: real machines, real keys, and every invariant checked after each order.
import { deepStrictEqual } from 'node:assert';
import { addressOf, generateKeyPair, parseKeyName, type KeyPair } from '@clawbernetes/identity';
import { MOLT, present, seededRandom, type Json } from '@clawbernetes/kernel';
import {
  accrued,
  FIRST_PREV_HASH,
  orderResultName,
  signOrder,
  signReceipt,
  type OrderResultName,
  type OrderSignature,
  type OrderType,
  type Receipt,
  type SigningFacts,
} from '@clawbernetes/orders';
import { LedgerMachine, signerId } from '../../src/index.ts';
import { OrderMachine } from '../../src/orders/order-machine.ts';
import { hasValidSignatures } from '../../src/orders/order-signature.ts';
import { encodeOrder, readOrder } from '../../src/orders/order.ts';
import { accountId, type AccountKind } from '../../src/orders/standard-accounts.ts';

export const START_MS = Date.UTC(2026, 0, 1);
export const LEDGER = 'ledger-1';
export const ASSET = 1;

export const NAMES = ['buyer', 'provider', 'other', 'one', 'two', 'three', 'operator', 'council'] as const;
export type Name = (typeof NAMES)[number];

const keys = new Map<Name, KeyPair>(
  NAMES.map((name, index) => [name, generateKeyPair(seededRandom(index + 1))]),
);

export function keyOf(name: Name): KeyPair {
  return present(keys.get(name), name);
}

export function address(name: Name): string {
  return addressOf(keyOf(name).publicKey);
}

export const PANEL = { keys: [address('one'), address('two'), address('three')], threshold: 2 };

export const SETTINGS = {
  ledger: LEDGER,
  network: 'development',
  asset: ASSET,
  operators: { keys: [address('operator')], threshold: 1 },
  council: { keys: [address('council')], threshold: 1 },
  providerStake: (100n * MOLT).toString(),
  faucetAmount: (1_000_000n * MOLT).toString(),
  maxOpen: 1000,
};

export function molt(amount: number): string {
  return (BigInt(amount) * MOLT).toString();
}

export interface Change extends Partial<SigningFacts> {
  /** Instead of a valid one. */
  readonly signature?: string;
}

type Terms = { readonly [name: string]: Json | undefined } & { readonly escrow?: string };

/** Time goes on; and perhaps an order comes, or an account is frozen or thawed. */
export type WorldEvent =
  | { readonly timeMs: number }
  | { readonly timeMs: number; readonly bytes: Uint8Array }
  | { readonly timeMs: number; readonly account: bigint; readonly frozen: boolean };

export class OrderWorld {
  readonly reached = new Set<OrderResultName>();
  /** All that came, with its time: enough to do it again. */
  readonly history: WorldEvent[] = [];
  machine: LedgerMachine;
  orders: OrderMachine;
  timeMs = START_MS;
  #nonce = 1;
  #ids = 0;

  constructor({ settings = {}, isOpen = true, maxAccounts = 10_000 } = {}) {
    this.machine = new LedgerMachine({ seed: 7 }, { maxAccounts });
    this.machine.advance(START_MS);
    this.orders = new OrderMachine(this.machine);
    if (isOpen) this.do('ledger-open', { ...SETTINGS, ...settings }, []);
  }

  /** A new id of an owner's, made now. */
  id(atMs = this.timeMs, owner = address('buyer')): string {
    this.#ids += 1;
    return signerId(atMs, parseKeyName(owner), this.#ids).toString(16).padStart(32, '0');
  }

  wait(ms: number): void {
    this.timeMs += ms;
    this.machine.advance(this.timeMs);
    this.orders.advance(this.timeMs);
    this.history.push({ timeMs: this.timeMs });
    this.check();
  }

  sign(name: Name, type: OrderType, body: Json, change: Change = {}): OrderSignature {
    const { signature, ...facts } = change;
    const signed = signOrder(
      keyOf(name),
      { type, body },
      {
        ledger: LEDGER,
        nonce: this.#nonce++,
        issuedAtMs: this.timeMs,
        expiresAtMs: this.timeMs + 60_000,
        ...facts,
      },
    );
    return signature === undefined ? signed : { ...signed, signature };
  }

  /** Signs and applies an order. @returns its result. */
  do(type: OrderType, body: Json, signers: readonly Name[], change: Change = {}): OrderResultName {
    return this.apply(
      type,
      body,
      signers.map((name) => this.sign(name, type, body, change)),
    );
  }

  apply(type: OrderType, body: Json, signatures: readonly OrderSignature[]): OrderResultName {
    return this.applyBytes(encodeOrder({ type, body, signatures }));
  }

  /** What is refused changes nothing. */
  applyBytes(bytes: Uint8Array): OrderResultName {
    this.orders.advance(this.timeMs);
    const before = this.state();
    const code = this.#answer(bytes);
    this.reached.add(code);
    this.history.push({ timeMs: this.timeMs, bytes });
    if (code !== 'ok') deepStrictEqual(this.state(), before, `${code} changes nothing`);
    this.check();
    return code;
  }

  #answer(bytes: Uint8Array): OrderResultName {
    const name = orderName(this.orders.applyBytes(bytes, this.timeMs));
    if (name === 'ok') deepStrictEqual(hasValidSignatures(readOrder(bytes)), true);
    return name;
  }

  /** Everything that can be seen, without accounts that are empty. */
  state(): unknown {
    const accounts = [...this.machine.accounts()].filter(
      ({ creditsPosted, debitsPosted, debitsPending }) => creditsPosted + debitsPosted + debitsPending > 0n,
    );
    return { accounts, orders: Buffer.from(this.orders.snapshot().bytes()).toString() };
  }

  check(): void {
    this.machine.assertConservation();
    deepStrictEqual(this.orders.deviations(), []);
    const reserved = [...this.orders.escrows()].filter(({ pendingId }) => pendingId !== 0n);
    deepStrictEqual(this.machine.pendingCount, reserved.length);
    deepStrictEqual(
      reserved.every(({ remaining }) => remaining > 0n),
      true,
    );
  }

  balance(kind: AccountKind, name?: Name): bigint {
    return this.orders.balance(name === undefined ? { kind } : { kind, owner: address(name) });
  }

  freeze(kind: AccountKind, name: Name, frozen = true): void {
    const account = accountId({ kind, owner: address(name) }, ASSET);
    this.machine.setFrozen(account, frozen);
    this.history.push({ timeMs: this.timeMs, account, frozen });
  }

  give(name: Name, amount: number): void {
    expectOk(this.do('faucet', { amount: molt(amount) }, [name]));
  }

  stake(name: Name, amount: number): void {
    this.give(name, amount);
    expectOk(this.do('stake-deposit', { amount: molt(amount) }, [name]));
  }

  /** The terms of an escrow of 100 MOLT that the buyer releases. */
  terms(change: Terms = {}): Record<string, Json> & { readonly escrow: string } {
    const owner = typeof change['buyer'] === 'string' ? change['buyer'] : address('buyer');
    const { escrow = this.id(this.timeMs, owner), ...changed } = change;
    const terms: Terms = {
      buyer: address('buyer'),
      provider: address('provider'),
      amount: molt(100),
      release: 'single',
      releaser: address('buyer'),
      arbiters: PANEL,
      ...changed,
    };
    const named: [string, Json][] = [];
    for (const [name, value] of Object.entries(terms)) if (value !== undefined) named.push([name, value]);
    return { ...Object.fromEntries(named), escrow };
  }

  /** Buyer with 1,000 MOLT and provider with a stake of 100, once. */
  fundParties(): void {
    this.give('buyer', 1000);
    this.stake('provider', 100);
  }

  created(change: Terms = {}): string {
    const terms = this.terms(change);
    const signers: Name[] = terms['slashable'] === undefined ? ['buyer'] : ['buyer', 'provider'];
    expectOk(this.do('escrow-create', terms, signers));
    return terms.escrow;
  }

  funded(change: Terms = {}): string {
    const escrow = this.created(change);
    expectOk(this.do('escrow-fund', { escrow }, ['buyer']));
    return escrow;
  }

  /** An agreement at one base unit per ms, which 100 MOLT pay for 10^11 ms; or at the rate named. */
  leased({
    rate = '1000000000000000000000',
    ...change
  }: { readonly [name: string]: Json | undefined } = {}): string {
    const escrow = this.funded({ deadlineMs: this.timeMs + 30 * 86_400_000, ...change });
    const agreement = this.id();
    expectOk(this.do('agreement-open', { agreement, escrow, rate }, ['buyer', 'provider']));
    return agreement;
  }

  receipt(agreement: string, n: number, activeMs: number, change: Partial<Receipt> = {}): Receipt {
    const { rate, last } = present(this.orders.agreement(agreement), 'the agreement');
    return {
      ledger: LEDGER,
      agreement,
      buyer: address('buyer'),
      provider: address('provider'),
      n,
      prevHash: last && n === last.n + 1 ? last.hash : FIRST_PREV_HASH,
      meters: { activeMs, cpuMs: undefined, gpuMs: 5n, bytesIn: undefined, bytesOut: undefined },
      cumulativeAmount: accrued(rate, activeMs),
      logRoot: 'ab'.repeat(32),
      health: 'ok',
      timeMs: this.timeMs,
      ...change,
    };
  }

  /** Settles without comparing everything there is. */
  settleQuickly(receipt: Receipt): OrderResultName {
    const body = { receipts: [cosigned(receipt)] };
    const bytes = encodeOrder({ type: 'agreement-settle', body, signatures: [] });
    return orderName(this.orders.applyBytes(bytes, this.timeMs));
  }

  settle(...receipts: readonly Receipt[]): OrderResultName {
    return this.do('agreement-settle', { receipts: receipts.map(cosigned) }, []);
  }
}

export function cosigned(receipt: Receipt): Json {
  const nameOf = (owner: string): Name =>
    present(
      NAMES.find((name) => address(name) === owner),
      owner,
    );
  const { meters, cumulativeAmount, ...facts } = receipt;
  const written: Record<string, string | number> = {};
  for (const [name, meter] of Object.entries(meters))
    if (meter !== undefined) written[name] = typeof meter === 'bigint' ? meter.toString() : meter;
  return {
    receipt: { ...facts, cumulativeAmount: cumulativeAmount.toString(), meters: written },
    buyerSignature: signReceipt(keyOf(nameOf(receipt.buyer)), receipt),
    providerSignature: signReceipt(keyOf(nameOf(receipt.provider)), receipt),
  };
}

export function expectOk(code: OrderResultName): void {
  deepStrictEqual(code, 'ok');
}

function orderName(code: number): OrderResultName {
  return present(orderResultName(code), `result ${code}`);
}
