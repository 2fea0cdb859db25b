import { every, type Clock, type Logger, type Random, type Timer } from '@clawbernetes/kernel';
import type { Store } from '@clawbernetes/storage';
import { ledgerError } from './errors.ts';
import { ITEM_BYTES, applyFrame, itemCount } from './journal/apply-frame.ts';
import { chainHash } from './journal/chain-hash.ts';
import { Checkpointer } from './journal/checkpointer.ts';
import { encodeFrame, frameBytes, operationBytes, type Operation } from './journal/frame.ts';
import { FrameBuffers } from './journal/frame-buffers.ts';
import type { IdArchive } from './journal/id-archive.ts';
import { recallOlder } from './journal/recall-older.ts';
import { replay } from './journal/replay.ts';
import type { AccountView, LedgerMachine } from './machine/ledger-machine.ts';
import { NEWEST_RULES } from './machine/rules.ts';
import { malformedCode, MAX_ORDER_BYTES } from './orders/order.ts';
import type { OrderMachine } from './orders/order-machine.ts';
import type { Projection } from './projection/projection.ts';
import { MAX_BATCH_ITEMS } from './machine/transfer-record.ts';
import { WorkerThreads, type LedgerThreads } from './service/ledger-threads.ts';

export interface LedgerOptions {
  /** Names this ledger in every signed request; requests for another are refused. */
  readonly ledgerId: string;
  /** Most that waits for its turn. */
  readonly maxQueuedBytes: number;
  readonly maxQueuedRequests: number;
  /** Most bytes of one frame; a single request may be longer. */
  readonly frameBytes: number;
  /** Frames that are on their way to the disk at once; more requests then share the next. */
  readonly framesInFlight: number;
  /** Ids that are held in memory before they are set aside. */
  readonly heldIds: number;
  /** Runs of ids that are remembered; with a further one, the oldest is forgotten. */
  readonly maxIdRuns: number;
}

export const DEFAULT_LEDGER_OPTIONS: Omit<LedgerOptions, 'ledgerId'> = {
  maxQueuedBytes: 64 * 1024 * 1024,
  maxQueuedRequests: 100_000,
  frameBytes: 512 * 1024,
  framesInFlight: 4,
  heldIds: 500_000,
  maxIdRuns: 64,
};

/** How late what is pending may expire while nobody asks for anything. */
const EXPIRY_CHECK_MS = 500;

export interface LedgerDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Default: real ones, of its own. */
  readonly threads?: LedgerThreads;
  /** The history to keep, on the same store: opened before the ledger, and closed after it. */
  readonly projection?: Projection;
}

interface Waiting {
  readonly operation: Operation;
  readonly bytes: number;
  readonly resolve: (results: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

/**
 * The ledger: one writer that applies requests to the machine in memory, frame by frame, and answers each
 * once its frame is durable. Whatever was answered survives; whatever was not may have happened or not, and
 * the same request under the same ids finds out.
 */
export class Ledger implements AsyncDisposable {
  readonly #deps: LedgerDeps;
  readonly #options: LedgerOptions;
  readonly #machine: LedgerMachine;
  readonly #orders: OrderMachine;
  readonly #archive: IdArchive;
  readonly #checkpointer: Checkpointer;
  readonly #threads: LedgerThreads;
  #sequence: number;
  #hash: Uint8Array;
  #queue: Waiting[] = [];
  #queuedBytes = 0;
  #queuedRequests = 0;
  #inFlight = 0;
  #running: Promise<void> | undefined;
  #stored: Promise<void> = Promise.resolve();
  #freed: PromiseWithResolvers<void> | undefined;
  #failure: Error | undefined;
  readonly #buffers: FrameBuffers;
  readonly #ticking: Timer;

  private constructor(deps: LedgerDeps, options: LedgerOptions, state: Awaited<ReturnType<typeof replay>>) {
    this.#deps = deps;
    this.#options = options;
    this.#machine = state.machine;
    this.#archive = state.archive;
    this.#sequence = state.sequence;
    this.#hash = state.hash;
    this.#buffers = new FrameBuffers(options.framesInFlight);
    this.#threads = deps.threads ?? new WorkerThreads();
    const { machine, orders, archive } = state;
    this.#orders = orders;
    this.#checkpointer = new Checkpointer({ ...deps, threads: this.#threads }, { machine, orders, archive });
    deps.store.onFailed((error) => this.#fail(error));
    this.#ticking = every(deps.clock, EXPIRY_CHECK_MS, () => {
      if (this.#expiryIsDue && !this.#failure) this.#running ??= this.#run();
    });
  }

  /**
   * Reads back what is stored. @throws CodedError `journal-damaged`, `journal-diverged`, `journal-too-new`.
   */
  static async open(
    deps: LedgerDeps,
    options: Partial<LedgerOptions> & Pick<LedgerOptions, 'ledgerId'>,
  ): Promise<Ledger> {
    const all = { ...DEFAULT_LEDGER_OPTIONS, ...options };
    const startedMs = deps.clock.monotonicMs();
    const state = await replay(deps, { expectedIds: 2 * all.heldIds });
    const tookMs = Math.round(deps.clock.monotonicMs() - startedMs);
    deps.logger.info('The ledger was read back', {
      frames: state.replayed,
      sequence: state.sequence,
      tookMs,
    });
    return new Ledger(deps, all, state);
  }

  /** Number of the newest frame, durable or about to be. */
  get sequence(): number {
    return this.#sequence;
  }

  get accountCount(): number {
    return this.#machine.accountCount;
  }

  /**
   * Resolves with a result code for each item once they are durable. Without authority it is the ledger's own
   * request; with one, its signature is verified first.
   * @throws CodedError `request-invalid`, `signature-invalid`, `ledger-overloaded`: nothing was done;
   * `ledger-closed`: it may have been done, repeat it when the ledger is open again.
   */
  async submit(operation: Operation): Promise<Uint8Array> {
    checkShape(operation);
    const malformed = operation.kind === 'orders' ? malformedCode(operation.items) : undefined;
    // It would come out the same at any time, and needs no place in the journal.
    if (malformed !== undefined) return Uint8Array.of(malformed);
    const bytes = operationBytes(operation);
    this.#admit(bytes);
    try {
      if (operation.authority || operation.kind === 'orders') await this.#verify(operation);
      if (this.#failure) throw this.#failure;
    } catch (error) {
      this.#leave(bytes);
      throw error;
    }
    return this.#enqueue(operation, bytes);
  }

  /** What was admitted gets its turn. */
  #enqueue(operation: Operation, bytes: number): Promise<Uint8Array> {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    this.#queue.push({ operation, bytes, resolve, reject });
    this.#running ??= this.#run();
    return promise;
  }

  #admit(bytes: number): void {
    if (this.#failure) throw this.#failure;
    const { maxQueuedBytes, maxQueuedRequests } = this.#options;
    if (this.#queuedBytes + bytes > maxQueuedBytes || this.#queuedRequests >= maxQueuedRequests) {
      const message = 'Too much waits to be booked. Try again in a moment, under the same ids.';
      throw ledgerError(message, { code: 'ledger-overloaded' });
    }
    this.#queuedBytes += bytes;
    this.#queuedRequests += 1;
  }

  #leave(bytes: number, requests = 1): void {
    this.#queuedBytes -= bytes;
    this.#queuedRequests -= requests;
  }

  async #verify(operation: Operation): Promise<void> {
    const isSigned = await this.#threads.verify(operation, this.#options.ledgerId).catch((error: unknown) => {
      // The threads end with the ledger.
      throw this.#failure ?? error;
    });
    if (isSigned) return;
    const message =
      `The request is not signed by the key that it names, or not for the ledger ${this.#options.ledgerId}. ` +
      'Sign exactly what is sent, with the key that owns the account.';
    throw ledgerError(message, { code: 'signature-invalid' });
  }

  /** An account as of all that was submitted before, once that is durable; undefined if there is none. */
  async account(id: bigint): Promise<AccountView | undefined> {
    await this.settled();
    return this.#machine.account(id);
  }

  /** Escrows, stakes and all else of the orders; as of the newest frame, durable or about to be. */
  get orders(): Omit<OrderMachine, 'advance' | 'apply' | 'applyBytes' | 'restore'> {
    return this.#orders;
  }

  /** Resolves once everything that was submitted so far is durable. @throws CodedError `ledger-closed`. */
  async settled(): Promise<void> {
    await this.#running;
    await this.#stored;
    if (this.#failure) throw this.#failure;
  }

  /** The state for an auditor: after all that was submitted. */
  async audit(): Promise<{ readonly sequence: number; readonly chainHash: string }> {
    await this.settled();
    this.#machine.assertConservation();
    return { sequence: this.#sequence, chainHash: Buffer.from(this.#hash).toString('hex') };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ticking.cancel();
    await this.settled().catch(() => undefined);
    this.#end(closed());
    await this.#checkpointer[Symbol.asyncDispose]();
    await this.#threads[Symbol.asyncDispose]();
  }

  /** Frame after frame while anything waits. */
  async #run(): Promise<void> {
    // All that is submitted in the same turn of the event loop shares a frame.
    await Promise.resolve();
    try {
      while ((this.#queue.length > 0 || this.#expiryIsDue) && !this.#failure) {
        if (this.#inFlight >= this.#options.framesInFlight) await this.#room();
        else {
          await this.#deps.projection?.ready();
          await this.#bookAll(this.#take());
        }
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#running = undefined;
    }
  }

  get #expiryIsDue(): boolean {
    const nextMs = Math.min(this.#machine.nextExpiryMs, this.#orders.nextDueMs);
    return nextMs <= Math.max(this.#machine.timeMs, this.#deps.clock.nowMs());
  }

  /** As many of those that wait as fit into a frame, but at least one. */
  #take(): readonly Waiting[] {
    let [count, bytes, items] = [0, 0, 0];
    for (const { operation, bytes: length } of this.#queue) {
      const more = itemCount(operation);
      const isFull = bytes + length > this.#options.frameBytes || items + more > MAX_BATCH_ITEMS;
      if (count > 0 && isFull) break;
      count += 1;
      bytes += length;
      items += more;
    }
    this.#leave(bytes, count);
    return this.#queue.splice(0, count);
  }

  /** Nobody waits for ever for what could not be booked. */
  async #bookAll(taken: readonly Waiting[]): Promise<void> {
    try {
      await this.#book(taken);
    } catch (error) {
      this.#fail(error);
      for (const { reject } of taken) reject(this.#failure ?? closed());
    }
  }

  async #book(taken: readonly Waiting[]): Promise<void> {
    const operations = taken.map(({ operation }) => operation);
    await recallOlder(this.#machine.ids, this.#archive, operations);
    const timeMs = Math.max(this.#machine.timeMs, Math.floor(this.#deps.clock.nowMs()));
    const frame = { timeMs, rules: NEWEST_RULES, operations };
    const { results } = applyFrame(this.#machine, frame, this.#orders);
    const body = encodeFrame(frame, this.#buffers.take(frameBytes(operations)));
    this.#sequence += 1;
    this.#hash = chainHash(this.#hash, body, results);
    const { sequence } = this;
    this.#deps.projection?.take(sequence, timeMs);
    const insert = { sequence, time_ms: timeMs, hash: this.#hash, body };
    this.#inFlight += 1;
    const durable = this.#deps.store.submit([{ table: 'ledger_frame', insert }]);
    this.#stored = durable.then(
      () => {
        this.#buffers.giveBack(body);
        this.#deps.projection?.durable(sequence);
        this.#durable(taken, results);
      },
      (error: unknown) => this.#lost(taken, error),
    );
    if (this.#checkpointIsDue) this.#checkpoint();
  }

  /** Balances are copied with each checkpoint: the more there are, the rarer it is. */
  get #checkpointIsDue(): boolean {
    const done = this.#machine.ids.size - this.#machine.pendingCount;
    const wanted = Math.max(this.#options.heldIds, 2 * this.#machine.accountCount);
    return done >= wanted && !this.#checkpointer.isBusy;
  }

  #durable(taken: readonly Waiting[], results: readonly Uint8Array[]): void {
    this.#release();
    for (const [index, { resolve }] of taken.entries()) resolve(results[index] ?? new Uint8Array());
  }

  #lost(taken: readonly Waiting[], error: unknown): void {
    this.#fail(error);
    for (const { reject } of taken) reject(this.#failure ?? closed());
    this.#release();
  }

  #checkpoint(): void {
    const { sequence } = this;
    // A replay goes on where the history ends, or before.
    const stored = this.#stored.then(() => this.#deps.projection?.stored(sequence));
    stored.catch(() => undefined); // awaited with the checkpoint
    this.#checkpointer.take({ sequence, hash: this.#hash }, stored).then(
      () => this.#forgetOldest(),
      (error: unknown) => this.#fail(error),
    );
  }

  /** Refuses ids of a time of which too much would have to be remembered. */
  #forgetOldest(): void {
    const sinceMs = this.#archive.sinceMs(this.#options.maxIdRuns);
    if (sinceMs <= this.#machine.ids.sinceMs || this.#failure) return;
    const items = new Uint8Array(Float64Array.of(sinceMs).buffer);
    const operation = { kind: 'forget', items } as const;
    const bytes = operationBytes(operation);
    // However much waits: this makes room. The runs go with the checkpoint after this.
    this.#leave(-bytes, -1);
    this.#enqueue(operation, bytes).catch((error: unknown) => this.#fail(error));
  }

  #room(): Promise<void> {
    this.#freed ??= Promise.withResolvers();
    return this.#freed.promise;
  }

  #release(): void {
    this.#inFlight -= 1;
    this.#freed?.resolve();
    this.#freed = undefined;
  }

  #fail(error: unknown): void {
    if (!this.#failure) this.#deps.logger.error('The ledger has stopped', { error: String(error) });
    this.#end(closed(error));
  }

  /** Nothing more is taken, and nobody waits for his turn any more. */
  #end(failure: Error): void {
    this.#failure ??= failure;
    for (const { bytes, reject } of this.#queue.splice(0)) {
      this.#leave(bytes);
      reject(this.#failure);
    }
    this.#freed?.resolve();
    this.#freed = undefined;
  }
}

function checkShape(operation: Operation): void {
  const { kind, items, authority } = operation;
  if (kind === 'orders') {
    if (items.length <= MAX_ORDER_BYTES && !authority) return;
    const message = `An operation of orders is one order of at most ${MAX_ORDER_BYTES} bytes, signed within.`;
    throw ledgerError(message, { code: 'request-invalid' });
  }
  const count = itemCount(operation);
  if (Number.isInteger(count) && count > 0 && count <= MAX_BATCH_ITEMS) return;
  const message = `A request has 1 to ${MAX_BATCH_ITEMS} items of ${ITEM_BYTES[kind]} bytes; this one has ${items.length} bytes.`;
  throw ledgerError(message, { code: 'request-invalid' });
}

function closed(cause?: unknown): Error {
  const message =
    'The ledger is closed. Whether the request was booked is not known: open it anew and repeat it.';
  return ledgerError(message, { code: 'ledger-closed' }, cause);
}
