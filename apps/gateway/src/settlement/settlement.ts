import { assert, MOLT, type Json, type Clock, type Logger, type Random } from '@clawbernetes/kernel';
import { addressOf, type KeyPair } from '@clawbernetes/identity';
import {
  auditInThread,
  encodeOrder,
  HISTORY_SCHEMA,
  Ledger,
  LEDGER_SCHEMA,
  Projection,
  type History,
  type LedgerSettings,
  type LedgerTime,
  type OrderDraft,
  type ProjectionLag,
} from '@clawbernetes/ledger';
import { orderResultName, signOrder, type OrderResultName } from '@clawbernetes/orders';
import { joinSchemas, type Schema, type Store } from '@clawbernetes/storage';
import { gatewayError } from '../errors.ts';
import { Audits } from './audits.ts';
import type { Network } from './network.ts';

/** The one asset so far; its number is stored in every account. */
const MOLT_ASSET = 1;
/** Bronze: whoever has less cannot provide. */
const PROVIDER_STAKE = 100n * MOLT;
/** Enough to try all tiers but the highest. */
const FAUCET_AMOUNT = 20_000n * MOLT;
const MAX_OPEN = 1_000_000;
/** What it costs, at least, to hold up a provider's stake with a dispute that one loses. */
const MIN_DISPUTE_DEPOSIT = MOLT;
/**
 * Whoever keeps all others out with MAX_OPEN escrows has 10,000 MOLT in them, locked or held, all the while.
 * With leases that have run dry he pays the job fee of as much instead, 50 MOLT at least.
 */
const MIN_ESCROW = MOLT / 100n;
/** The table of 16 million accounts lasts for years, whoever opens them for nothing. */
const MAX_DAILY_OPENINGS = 10_000;
/** What the gateway signs it carries out at once. */
const OPERATION_VALID_MS = 60_000;

export interface SettlementDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Of this process, where it opens the ledger again and again. */
  readonly time?: LedgerTime;
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
  readonly audits: Audits;
  readonly #deps: SettlementDeps;
  readonly #projection: Projection;
  readonly #store: Store;
  readonly #owned: AsyncDisposableStack;
  #nonce = 0;

  private constructor(
    deps: SettlementDeps,
    { ledger, projection }: Book,
    { store, owned }: { readonly store: Store; readonly owned: AsyncDisposableStack },
  ) {
    this.#deps = deps;
    this.ledger = ledger;
    this.#projection = projection;
    this.#store = store;
    this.#owned = owned;
    const ledgerId = (): string => this.settings.ledger;
    this.audits = owned.use(
      new Audits({
        ...deps,
        audit: (through, options) => auditInThread(store, { ledgerId: ledgerId(), through, ...options }),
      }),
    );
  }

  /** @throws CodedError as `Ledger.open` and stores do, `wrong-network`. */
  static async open(deps: SettlementDeps, options: SettlementOptions): Promise<Settlement> {
    await using stack = new AsyncDisposableStack();
    const store = stack.use(await deps.openStore(SCHEMA));
    const book = await openKnown({ ...deps, store }, options.ledgerId, stack);
    await giveSettings(book.ledger, deps, options);
    requireNetwork(book.ledger, options.network);
    return new Settlement(deps, book, { store, owned: stack.move() });
  }

  get history(): History {
    return this.#projection.history;
  }

  get storage(): string {
    return this.#deps.storage;
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

  /** An order that the gateway signs itself, as operator or council. @throws as `order` does. */
  operate(type: string, body: Json): Promise<OrderResultName> {
    const { key } = this.#deps;
    const issuedAtMs = this.ledger.timeMs;
    this.#nonce = Math.max(this.#nonce + 1, issuedAtMs * 1000);
    const times = { issuedAtMs, expiresAtMs: issuedAtMs + OPERATION_VALID_MS };
    const facts = { ledger: this.settings.ledger, nonce: this.#nonce, ...times };
    const signature = signOrder(key, { type, body }, facts);
    // What type and body are is checked by the ledger.
    const draft = { type, body, signatures: [signature] } as OrderDraft;
    return this.order(encodeOrder(draft));
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
  return await openBook(deps, known, owner);
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
    minDisputeDeposit: String(MIN_DISPUTE_DEPOSIT),
    minEscrow: String(MIN_ESCROW),
    maxDailyOpenings: MAX_DAILY_OPENINGS,
  };
  return encodeOrder({ type: 'ledger-open', body, signatures: [] });
}

async function submitOrder(ledger: Ledger, bytes: Uint8Array): Promise<OrderResultName> {
  const [code = -1] = await ledger.submit({ kind: 'orders', items: bytes });
  const name = orderResultName(code);
  assert(name !== undefined, `an order has a result that is known (${code})`);
  return name;
}
