import {
  backoffMs,
  type CodedError,
  errorCode,
  errorMessage,
  sleep,
  systemClock,
  systemRandom,
  type Logger,
} from '@clawbernetes/kernel';
import { gatewayIdOf } from '@clawbernetes/identity';
import { loadOrCreateKeyFile } from '@clawbernetes/identity/key-file';
import { openPostgresStore, openSqliteStore, type Schema, type Store } from '@clawbernetes/storage';
import { join } from 'node:path';
import type { GatewayConfig } from './config.ts';
import { asCoded, gatewayError } from './errors.ts';
import { DEFAULT_GATEWAY_OPTIONS, type GatewayOptions } from './gateway-options.ts';
import { openGateway, type Gateway } from './gateway.ts';
import { loadOrCreateOwnerToken, prepareFolder, removeEndpoint, writeEndpoint } from './home-files.ts';
import type { GatewayHost } from './host.ts';
import { hashToken } from './http/api-context.ts';
import { openHttpServer } from './http/http-server.ts';
import { SettlementKeeper } from './settlement/settlement-keeper.ts';

/** Frames of the journal are large; see `pageBytes` of the store. */
const LEDGER_PAGE_BYTES = 16_384;
const LEDGER_NAMESPACE = 'clawbernetes_ledger';

const REOPEN = { firstMs: 500, maxMs: 10_000 } as const;

export interface RunningGateway extends AsyncDisposable {
  readonly url: string;
}

/** Limits that differ from the defaults. */
export type ServeOptions = Partial<typeof DEFAULT_GATEWAY_OPTIONS>;

/**
 * The production gateway: real clock, files, database and sockets. When the store fails (disk full, lease
 * lost) the control plane is closed and opened again until it succeeds; the port stays open and answers why
 * it cannot serve.
 */
export async function serveGateway(
  config: GatewayConfig,
  logger: Logger,
  options: ServeOptions = {},
): Promise<RunningGateway> {
  const given = { ...DEFAULT_GATEWAY_OPTIONS, ...options };
  const gpus = { ...given.fleet.gpus, ...config.gpus };
  const limits = { ...given, fleet: { ...given.fleet, ...config.gangs, gpus } };
  await using stack = new AsyncDisposableStack();
  await prepareFolder(config.folder);
  const fleetHost = await openHost(config, logger);
  const settlement = openSettlement(config, fleetHost);
  if (settlement) stack.use(settlement);
  const host = settlement ? { ...fleetHost, settlement } : fleetHost;
  const token = await loadOrCreateOwnerToken(config.folder, systemRandom);
  const keeper = stack.use(new GatewayKeeper(host, { ...limits, logFolder: config.logFolder }));
  const server = stack.use(
    await openHttpServer(
      { ...host, ownerTokenHash: hashToken(token), gateway: () => keeper.current() },
      { ...limits, host: config.host, port: config.port },
    ),
  );
  keeper.url = server.url;
  // After the port, so that a gateway that cannot have it does not touch the database.
  await keeper.open();
  await writeEndpoint(config.folder, { url: server.url, pid: process.pid, startedAtMs: systemClock.nowMs() });
  stack.defer(() => removeEndpoint(config.folder));
  const owned = stack.move();
  return { url: server.url, [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose]() };
}

async function openHost(config: GatewayConfig, logger: Logger): Promise<GatewayHost> {
  const { databaseUrl, folder } = config;
  const path = join(folder, 'fleet.db');
  const openStore = (schema: Schema): Promise<Store> =>
    databaseUrl === undefined
      ? openSqliteStore({ clock: systemClock, logger }, { path, schema })
      : openPostgresStore({ clock: systemClock, random: systemRandom, logger }, { url: databaseUrl, schema });
  return {
    clock: systemClock,
    random: systemRandom,
    logger,
    key: await loadOrCreateKeyFile(join(folder, 'gateway.key')),
    openStore,
    storage: databaseUrl === undefined ? `SQLite at ${path}` : 'PostgreSQL',
  };
}

/** The ledger has a store of its own: what happens to one of the two does not happen to the other. */
function openSettlement(
  { settlement: network, databaseUrl: url, folder }: GatewayConfig,
  { clock, random, logger, key }: GatewayHost,
): SettlementKeeper | undefined {
  if (network === undefined) return undefined;
  const path = join(folder, 'ledger.sqlite');
  const openStore = (schema: Schema): Promise<Store> =>
    url === undefined
      ? openSqliteStore({ clock, logger }, { path, schema, pageBytes: LEDGER_PAGE_BYTES })
      : openPostgresStore({ clock, random, logger }, { url, schema, namespace: LEDGER_NAMESPACE });
  const storage = url === undefined ? `SQLite at ${path}` : `PostgreSQL, schema ${LEDGER_NAMESPACE}`;
  return new SettlementKeeper(
    { clock, random, logger, key, openStore, storage },
    { ledgerId: gatewayIdOf(key.publicKey), network },
  );
}

/** Holds the control plane that is open now, or why there is none. */
class GatewayKeeper implements AsyncDisposable {
  url = '';
  readonly #host: GatewayHost;
  readonly #options: Omit<GatewayOptions, 'url'>;
  readonly #stop = new AbortController();
  #gateway: Gateway | undefined;
  #failure: CodedError | undefined;

  constructor(host: GatewayHost, options: Omit<GatewayOptions, 'url'>) {
    this.#host = host;
    this.#options = options;
  }

  /** @throws CodedError `storage-unavailable`, or what the store failed with. */
  current(): Gateway {
    if (this.#gateway) return this.#gateway;
    throw (
      this.#failure ?? gatewayError('storage-unavailable', 'The gateway is starting; try again in a moment.')
    );
  }

  async open(): Promise<void> {
    const url = (): string => this.url;
    const gateway = await openGateway(this.#host, {
      ...this.#options,
      get url() {
        return url();
      },
    });
    this.#gateway = gateway;
    this.#failure = undefined;
    gateway.onFailed((error) => void this.#reopen(gateway, error));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    const gateway = this.#gateway;
    this.#gateway = undefined;
    await gateway?.[Symbol.asyncDispose]();
  }

  /** What was not stored is forgotten by opening anew; agents keep their work running and reconnect. */
  async #reopen(failed: Gateway, error: CodedError): Promise<void> {
    if (this.#gateway !== failed) return;
    this.#gateway = undefined;
    this.#failure = error;
    this.#host.logger.error('the store failed; the gateway reopens it', {
      code: error.code,
      error: error.message,
    });
    await closeQuietly(failed);
    for (let attempt = 0; !this.#stop.signal.aborted; attempt += 1) {
      try {
        await this.open();
        return this.#host.logger.info('the store is open again');
      } catch (cause) {
        this.#failure = asCoded(cause);
        this.#host.logger.error('the store cannot be opened', {
          code: errorCode(cause),
          error: errorMessage(cause),
        });
      }
      const delayMs = backoffMs(attempt, REOPEN, this.#host.random);
      await sleep(this.#host.clock, delayMs, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }
}

/** What fails while closing has failed already. */
async function closeQuietly(gateway: Gateway): Promise<void> {
  try {
    await gateway[Symbol.asyncDispose]();
  } catch {
    // The store's failure is known and being acted on.
  }
}
