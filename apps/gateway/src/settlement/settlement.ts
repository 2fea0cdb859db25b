import { assert, MOLT, type Clock, type Logger, type Random } from '@clawbernetes/kernel';
import { addressOf, type KeyPair } from '@clawbernetes/identity';
import {
  auditLedger,
  encodeOrder,
  HISTORY_SCHEMA,
  Ledger,
  LEDGER_SCHEMA,
  orderResultName,
  Projection,
  type AuditReport,
  type History,
  type LedgerSettings,
  type OrderResultName,
  type ProjectionLag,
} from '@clawbernetes/ledger';
import { joinSchemas, type Schema, type Store } from '@clawbernetes/storage';
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

/** What the store holds: the journal, and the history beside it. */
const SCHEMA = joinSchemas([LEDGER_SCHEMA, HISTORY_SCHEMA]);

/** A ledger with its history. */
interface Book {
  readonly ledger: Ledger;
  readonly projection: Projection;
}

/** The ledger of a gateway, open and with its settings. */
export class Settlement implements AsyncDisposable {
  readonly ledger: Ledger;
  readonly storage: string;
  readonly #projection: Projection;
  readonly #store: Store;
  readonly #owned: AsyncDisposableStack;

  private constructor(
    { ledger, projection }: Book,
    facts: { readonly store: Store; readonly storage: string; readonly owned: AsyncDisposableStack },
  ) {
    this.ledger = ledger;
    this.#projection = projection;
    this.#store = facts.store;
    this.storage = facts.storage;
    this.#owned = facts.owned;
  }

  /** @throws CodedError as `Ledger.open` and stores do, `wrong-network`. */
  static async open(deps: SettlementDeps, options: SettlementOptions): Promise<Settlement> {
    await using stack = new AsyncDisposableStack();
    const store = stack.use(await deps.openStore(SCHEMA));
    const book = await openKnown({ ...deps, store }, options.ledgerId, stack);
    await giveSettings(book.ledger, deps, options);
    requireNetwork(book.ledger, options.network);
    return new Settlement(book, { store, storage: deps.storage, owned: stack.move() });
  }

  get history(): History {
    return this.#projection.history;
  }

  /** How far the history is behind. */
  get lag(): ProjectionLag {
    return this.#projection.lag();
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
    await this.#owned[Symbol.asyncDispose]();
  }
}

/** A ledger that another gateway has made keeps its id, for which people sign. */
async function openKnown(
  deps: SettlementDeps & { readonly store: Store },
  ledgerId: string,
  owner: AsyncDisposableStack,
): Promise<Book> {
  await using stack = new AsyncDisposableStack();
  const book = await openBook(deps, ledgerId, stack);
  const known = book.ledger.orders.settings?.ledger ?? ledgerId;
  if (known === ledgerId) {
    owner.use(stack.move());
    return book;
  }
  await stack.disposeAsync();
  return openBook(deps, known, owner);
}

/** Closed in reverse: the history outlives the ledger that it follows. */
async function openBook(
  deps: SettlementDeps & { readonly store: Store },
  ledgerId: string,
  owner: AsyncDisposableStack,
): Promise<Book> {
  const projection = owner.use(await Projection.open(deps));
  const ledger = owner.use(await Ledger.open({ ...deps, projection }, { ledgerId }));
  return { ledger, projection };
}

/** Those that it has, or its first order. */
async function giveSettings(ledger: Ledger, deps: SettlementDeps, options: SettlementOptions): Promise<void> {
  if (ledger.orders.settings) return;
  const result = await submitOrder(ledger, firstOrder(deps, options));
  assert(result === 'ok', `a new ledger takes its settings (${result})`);
}

function requireNetwork(ledger: Ledger, wanted: Network): void {
  const network = ledger.orders.settings?.network;
  if (network === wanted) return;
  throw gatewayError(
    'wrong-network',
    `This gateway’s ledger is a ${network} network for good. Start the gateway with --settlement ${network}, ` +
      'or with another --home for another ledger.',
  );
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
