import { every, type Clock, type Logger, type Random, type Timer } from '@clawbernetes/kernel';
import type { Store } from '@clawbernetes/storage';
import { ledgerError } from './errors.ts';
import { applyFrame } from './journal/apply-frame.ts';
import { chainHash } from './journal/chain-hash.ts';
import { Checkpointer } from './journal/checkpointer.ts';
import { encodeFrame, frameBytes, type Operation } from './journal/frame.ts';
import { FrameBuffers } from './journal/frame-buffers.ts';
import type { IdArchive } from './journal/id-archive.ts';
import { recallOlder } from './journal/recall-older.ts';
import { replay } from './journal/replay.ts';
import type { AccountView, LedgerMachine } from './machine/ledger-machine.ts';
import { NEWEST_RULES } from './machine/rules.ts';
import { malformedCode } from './orders/order.ts';
import type { OrderMachine } from './orders/order-machine.ts';
import type { Projection } from './projection/projection.ts';
import { TRANSFER_BYTES } from './machine/transfer-record.ts';
import { WorkerThreads, type LedgerThreads } from './service/ledger-threads.ts';
import { LedgerTime } from './service/ledger-time.ts';
import { RequestQueue, type RequestQueueLimits, type Waiting } from './service/request-queue.ts';
import { checkRequestShape } from './service/request-shape.ts';

export interface LedgerOptions extends RequestQueueLimits {
  /** Names this ledger in every signed request; requests for another are refused. */
  readonly ledgerId: string;
  /** Frames that are on their way to the disk at once; more requests then share the next. */
  readonly framesInFlight: number;
  /** Ids that are held in memory before they are set aside. */
  readonly heldIds: number;
  /** Runs of ids that are remembered; with a further one, the oldest is forgotten … */
  readonly maxIdRuns: number;
  /** … but no time of the last so many ms, wherever the clocks are that ids were made by. */
  readonly rememberedMs: number;
  /** Journal after which a checkpoint is due even where few ids were used: it bounds the replay. */
  readonly checkpointBytes: number;
}

export const DEFAULT_LEDGER_OPTIONS: Omit<LedgerOptions, 'ledgerId'> = {
  maxQueuedBytes: 64 * 1024 * 1024,
  maxQueuedRequests: 100_000,
  frameBytes: 512 * 1024,
  framesInFlight: 8,
  heldIds: 500_000,
  maxIdRuns: 64,
  rememberedMs: 60_000,
  checkpointBytes: 128 * 1024 * 1024,
};

/** How late what is pending may expire while nobody asks for anything. */
const EXPIRY_CHECK_MS = 500;

export interface LedgerDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Default: its own. Whoever opens the ledger again in the same process gives it the same. */
  readonly time?: LedgerTime;
  /** Default: real ones, of its own. */
  readonly threads?: LedgerThreads;
  /** The history to keep, on the same store: opened before the ledger, and closed after it. */
  readonly projection?: Projection;
}

/** All of one time, right after the frame `sequence`; only while it is looked at. */
interface LedgerState {
  readonly sequence: number;
  readonly orders: Ledger['orders'];
  readonly account: (id: bigint) => AccountView | undefined;
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
  /** What a replay would have to read. */
  #bytesToReplay: number;
  readonly #time: LedgerTime;
  readonly #queue: RequestQueue;
  #inFlight = 0;
  #running: Promise<void> | undefined;
  /** The frame at hand, until it is on its way to the disk. */
  #booking: Promise<void> = Promise.resolve();
  #stored: Promise<void> = Promise.resolve();
  #freed: PromiseWithResolvers<void> | undefined;
  #failure: Error | undefined;
  #isClosing = false;
  readonly #buffers: FrameBuffers;
  readonly #ticking: Timer;

  private constructor(deps: LedgerDeps, options: LedgerOptions, state: Awaited<ReturnType<typeof replay>>) {
    this.#deps = deps;
    this.#options = options;
    this.#machine = state.machine;
    this.#archive = state.archive;
    this.#sequence = state.sequence;
    this.#hash = state.hash;
    this.#bytesToReplay = state.replayedBytes;
    this.#time = deps.time ?? new LedgerTime(deps);
    this.#time.goesOnAfter(state.machine.timeMs);
    this.#queue = new RequestQueue(options);
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
    const { sequence, replayed: frames } = state;
    deps.logger.info('The ledger was read back', { frames, sequence, tookMs });
    return new Ledger(deps, all, state);
  }

  /** Number of the newest frame, durable or about to be. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Of a frame that were booked now, ms since 1970; what is signed for the ledger has this time. */
  get timeMs(): number {
    return Math.max(this.#machine.timeMs, this.#time.nowMs());
  }

  /**
   * How far the clock of this machine is ahead of that, or behind if negative; 0 while that is of no account.
   */
  get clockAheadMs(): number {
    return this.#time.clockAheadMs(this.timeMs);
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
    checkRequestShape(operation);
    const malformed = operation.kind === 'orders' ? malformedCode(operation.items) : undefined;
    // It would come out the same at any time, and needs no place in the journal.
    if (malformed !== undefined) return Uint8Array.of(malformed);
    this.#requireOpen();
    this.#queue.admit(operation);
    try {
      if (operation.authority || operation.kind === 'orders') await this.#verify(operation);
      this.#requireOpen();
    } catch (error) {
      this.#queue.leave(operation);
      throw error;
    }
    return this.#booked(this.#queue.add(operation));
  }

  /** What was added gets its turn. */
  #booked(answer: Promise<Uint8Array>): Promise<Uint8Array> {
    this.#running ??= this.#run();
    return answer;
  }

  #requireOpen(): void {
    if (this.#failure) throw this.#failure;
    if (this.#isClosing) throw closed();
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
  account(id: bigint): Promise<AccountView | undefined> {
    return this.read((state) => state.account(id));
  }

  /**
   * What `look` sees, all of it at one time and after all that was submitted before. It is answered once
   * that is durable: nobody acts on what a crash takes back. @throws CodedError `ledger-closed`.
   */
  async read<Seen>(look: (state: LedgerState) => Seen): Promise<Seen> {
    await this.settled();
    const account = (id: bigint): AccountView | undefined => this.#machine.account(id);
    const seen = look({ sequence: this.#sequence, orders: this.#orders, account });
    // Meanwhile more may have been booked, and was seen.
    await this.#stored;
    if (this.#failure) throw this.#failure;
    return seen;
  }

  /** Escrows, stakes and all else of the orders; as of the newest frame, durable or about to be. */
  get orders(): Omit<OrderMachine, 'advance' | 'apply' | 'applyBytes' | 'restore'> {
    return this.#orders;
  }

  /**
   * Resolves once everything that was submitted so far is durable, however much follows.
   * @throws CodedError `ledger-closed`.
   */
  async settled(): Promise<void> {
    await this.#queue.newest;
    // What came due may have a frame of its own.
    await this.#booking.catch(() => undefined);
    await this.#stored;
    if (this.#failure) throw this.#failure;
  }

  /** The state for an auditor: after all that was submitted. */
  audit(): Promise<{ readonly sequence: number; readonly chainHash: string }> {
    return this.read(() => {
      this.#machine.assertConservation();
      return { sequence: this.#sequence, chainHash: Buffer.from(this.#hash).toString('hex') };
    });
  }

  /** Books what was submitted, and takes nothing more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosing = true;
    this.#ticking.cancel();
    await this.#running;
    await this.#stored;
    this.#end(closed());
    await this.#checkpointer[Symbol.asyncDispose]();
    await this.#threads[Symbol.asyncDispose]();
  }

  /** Frame after frame while anything waits. */
  async #run(): Promise<void> {
    // All that is submitted in the same turn of the event loop shares a frame.
    await Promise.resolve();
    try {
      while ((!this.#queue.isEmpty || this.#expiryIsDue) && !this.#failure) {
        this.#booking = this.#bookNext();
        await this.#booking;
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#running = undefined;
    }
  }

  async #bookNext(): Promise<void> {
    while (this.#inFlight >= this.#options.framesInFlight && !this.#failure) await this.#room();
    await this.#deps.projection?.ready();
    await this.#bookAll(this.#queue.take());
  }

  get #expiryIsDue(): boolean {
    const nextMs = Math.min(this.#machine.nextExpiryMs, this.#orders.nextDueMs);
    return nextMs <= this.timeMs;
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
    // A frame before this one may have been lost meanwhile: a journal has no gap.
    if (this.#failure) throw this.#failure;
    const { timeMs } = this;
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
    this.#bytesToReplay += body.length;
    if (this.#checkpointIsDue) this.#checkpoint(durable);
  }

  /** Balances are copied with each checkpoint: the more there are, the rarer it is. */
  get #checkpointIsDue(): boolean {
    const done = this.#machine.ids.size - this.#machine.pendingCount;
    const { accountCount } = this.#machine;
    const { heldIds, checkpointBytes } = this.#options;
    const isLong = this.#bytesToReplay >= Math.max(checkpointBytes, 2 * accountCount * TRANSFER_BYTES);
    return (isLong || done >= Math.max(heldIds, 2 * accountCount)) && !this.#checkpointer.isBusy;
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

  /** @param durable rejects if the frame that was just booked is lost. */
  #checkpoint(durable: Promise<void>): void {
    const { sequence } = this;
    this.#bytesToReplay = 0;
    // A replay goes on where the history ends, or before.
    const stored = durable.then(() => this.#deps.projection?.stored(sequence));
    stored.catch(() => undefined); // awaited with the checkpoint
    this.#checkpointer.take({ sequence, hash: this.#hash }, stored).then(
      () => this.#forgetOldest(),
      (error: unknown) => this.#fail(error),
    );
  }

  /** Refuses ids of a time of which too much would have to be remembered. */
  #forgetOldest(): void {
    const { maxIdRuns, rememberedMs } = this.#options;
    const sinceMs = Math.min(this.#archive.sinceMs(maxIdRuns), this.#machine.timeMs - rememberedMs);
    if (sinceMs <= this.#machine.ids.sinceMs || this.#failure || this.#isClosing) return;
    const items = new Uint8Array(Float64Array.of(sinceMs).buffer);
    // The runs go with the checkpoint after this.
    const forgotten = this.#queue.addBeyond({ kind: 'forget', items });
    this.#booked(forgotten).catch((error: unknown) => this.#fail(error));
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
    this.#queue.refuse(this.#failure);
    this.#freed?.resolve();
    this.#freed = undefined;
  }
}

function closed(cause?: unknown): Error {
  const message =
    'The ledger is closed. Whether the request was booked is not known: open it anew and repeat it.';
  return ledgerError(message, { code: 'ledger-closed' }, cause);
}
