import { assert, MOLT, type Clock, type Logger, type Random } from '@clawbernetes/kernel';
import { addressOf, type KeyPair } from '@clawbernetes/identity';
import {
  auditLedger,
  encodeOrder,
  Ledger,
  LEDGER_SCHEMA,
  orderResultName,
  type AuditReport,
  type LedgerSettings,
  type OrderResultName,
} from '@clawbernetes/ledger';
import type { Schema, Store } from '@clawbernetes/storage';
import { gatewayError } from '../errors.ts';
import type { Network } from './network.ts';

/** The one asset so far; its number is stored in every account. */
const MOLT_ASSET = 1;
/** Bronze: whoever has less cannot provide. */
const PROVIDER_STAKE = 100n * MOLT;
/** Enough to try all tiers but the highest. */
const FAUCET_AMOUNT = 20_000n * MOLT;
const MAX_OPEN = 1_000_000;

export interface SettlementDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Operates the ledger, and is its council. */
  readonly key: KeyPair;
  readonly openStore: (schema: Schema) => Promise<Store>;
  /** What holds the journal, for people. */
  readonly storage: string;
}

export interface SettlementOptions {
  /** Names a ledger that is new; one that exists keeps its id. */
  readonly ledgerId: string;
  /** Fixed when the ledger is made. */
  readonly network: Network;
}

/** The ledger of a gateway, open and with its settings. */
export class Settlement implements AsyncDisposable {
  readonly ledger: Ledger;
  readonly storage: string;
  readonly #store: Store;

  private constructor(ledger: Ledger, store: Store, storage: string) {
    this.ledger = ledger;
    this.#store = store;
    this.storage = storage;
  }

  /** @throws CodedError as `Ledger.open` and stores do, `wrong-network`. */
  static async open(deps: SettlementDeps, options: SettlementOptions): Promise<Settlement> {
    await using stack = new AsyncDisposableStack();
    const store = stack.use(await deps.openStore(LEDGER_SCHEMA));
    const ledger = stack.use(await openLedger({ ...deps, store }, options));
    const settlement = new Settlement(ledger, store, deps.storage);
    settlement.#requireNetwork(options.network);
    stack.move();
    return settlement;
  }

  get settings(): LedgerSettings {
    const { settings } = this.ledger.orders;
    assert(settings !== undefined, 'an open ledger has settings');
    return settings;
  }

  /** What became of an order, once that is durable. @throws CodedError as `Ledger.submit` does. */
  async order(bytes: Uint8Array): Promise<OrderResultName> {
    return submitOrder(this.ledger, bytes);
  }

  audit(options: { readonly signal?: AbortSignal }): Promise<AuditReport> {
    const through = this.ledger.sequence;
    return auditLedger(this.#store, { ledgerId: this.settings.ledger, through, ...options });
  }

  onFailed(listener: (error: Error) => void): void {
    this.#store.onFailed(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.ledger[Symbol.asyncDispose]();
    await this.#store[Symbol.asyncDispose]();
  }

  #requireNetwork(wanted: Network): void {
    const { network } = this.settings;
    if (network === wanted) return;
    throw gatewayError(
      'wrong-network',
      `This gateway’s ledger is a ${network} network for good. Start the gateway with --settlement ${network}, ` +
        'or with another --home for another ledger.',
    );
  }
}

/** With its settings: those that it has, or its first order. */
async function openLedger(
  deps: SettlementDeps & { readonly store: Store },
  { ledgerId, network }: SettlementOptions,
): Promise<Ledger> {
  const ledger = await Ledger.open(deps, { ledgerId });
  const known = ledger.orders.settings;
  // Another gateway has made it: it keeps its id, for which people sign.
  if (known && known.ledger !== ledgerId) {
    await ledger[Symbol.asyncDispose]();
    return Ledger.open(deps, { ledgerId: known.ledger });
  }
  if (known) return ledger;
  const result = await submitOrder(ledger, firstOrder(deps, { ledgerId, network }));
  assert(result === 'ok', `a new ledger takes its settings (${result})`);
  return ledger;
}

function firstOrder({ key }: SettlementDeps, { ledgerId, network }: SettlementOptions): Uint8Array {
  const own = { keys: [addressOf(key.publicKey)], threshold: 1 };
  const body = {
    ledger: ledgerId,
    network,
    asset: MOLT_ASSET,
    operators: own,
    council: own,
    providerStake: String(PROVIDER_STAKE),
    faucetAmount: String(network === 'development' ? FAUCET_AMOUNT : 0n),
    maxOpen: MAX_OPEN,
  };
  return encodeOrder({ type: 'ledger-open', body, signatures: [] });
}

async function submitOrder(ledger: Ledger, bytes: Uint8Array): Promise<OrderResultName> {
  const [code = -1] = await ledger.submit({ kind: 'orders', items: bytes });
  const name = orderResultName(code);
  assert(name !== undefined, `an order has a result that is known (${code})`);
  return name;
}
