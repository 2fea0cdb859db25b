import { silentLogger, systemClock, systemRandom, type Clock } from '@clawbernetes/kernel';
import { HISTORY_SCHEMA, Ledger, LEDGER_SCHEMA, Projection } from '@clawbernetes/ledger';
import { joinSchemas, openPostgresStore, openSqliteStore, type Store } from '@clawbernetes/storage';
import type { ProjectorLink } from '../../src/projection/projector-thread.ts';
import { readFrames } from '../../src/journal/read-frames.ts';

const SCHEMA = joinSchemas([LEDGER_SCHEMA, HISTORY_SCHEMA]);
/** Small, so that checkpoints and segments are frequent. */
export const SMALL = { heldIds: 500, segmentMovements: 300, maxLagMovements: 20_000, maxLagFrames: 200 };
/** Smaller still, for orders, which move little. */
export const TINY = { heldIds: 20, segmentMovements: 30 };
/** Long: no test waits until it has run out, and a busy machine does not lose it. */
const LEASE_MS = 10_000;

export interface BookOptions {
  readonly ledgerId: string;
  /** That of the ledger. */
  readonly clock?: Clock;
  /** That of the store, which renews its lease by it. */
  readonly storeClock?: Clock;
  readonly leaseMs?: number;
  readonly link?: ProjectorLink;
  readonly heldIds?: number;
  readonly segmentMovements?: number;
}

/** A ledger with its history, on one real engine. */
export interface Book {
  readonly store: Store;
  readonly projection: Projection;
  readonly ledger: Ledger;
  /** Safe to call after a failure. */
  close(): Promise<void>;
}

/** A store by its place: the URL of a PostgreSQL database, or the path of a file. */
export function openBookStore(
  place: string,
  { storeClock = systemClock, leaseMs = LEASE_MS }: Partial<BookOptions> = {},
): Promise<Store> {
  const deps = { clock: storeClock, logger: silentLogger, random: systemRandom };
  if (!place.startsWith('postgres:')) return openSqliteStore(deps, { path: place, schema: SCHEMA });
  return openPostgresStore(deps, { url: place, schema: SCHEMA, leaseMs, waitMs: 20_000 });
}

export async function openBook(place: string, options: BookOptions): Promise<Book> {
  return openBookOn(await openBookStore(place, options), options);
}

export async function openBookOn(
  store: Store,
  { ledgerId, clock = systemClock, link, ...sizes }: BookOptions,
): Promise<Book> {
  const { heldIds, ...options } = { ...SMALL, ...sizes };
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Promise.resolve(store[Symbol.asyncDispose]()).catch(() => undefined));
  const deps = { store, clock, random: systemRandom, logger: silentLogger };
  const projection = stack.use(await Projection.open({ ...deps, ...(link && { link }) }, options));
  const ledger = stack.use(await Ledger.open({ ...deps, projection }, { ledgerId, heldIds }));
  const owned = stack.move();
  return { store, projection, ledger, close: () => owned.disposeAsync() };
}

/** All frames, as the store has them. */
export async function journalOf(store: Store): Promise<readonly Uint8Array[]> {
  const bodies: Uint8Array[] = [];
  for await (const { body } of readFrames(store, 1)) bodies.push(body);
  return bodies;
}

/** Time that can be stopped: nothing comes due then. */
export function stoppableClock(): { readonly clock: Clock; stop(): void } {
  let stoppedMs: number | undefined;
  const nowMs = (): number => stoppedMs ?? systemClock.nowMs();
  const stop = (): void => {
    stoppedMs = nowMs();
  };
  return { clock: { ...systemClock, nowMs }, stop };
}
