import { assert, type Logger } from '@clawbernetes/kernel';
import type { Store } from '@clawbernetes/storage';
import { ledgerError } from '../errors.ts';
import type { LedgerMachine } from '../machine/ledger-machine.ts';
import { MAX_BATCH_ITEMS } from '../machine/transfer-record.ts';
import { History } from './history.ts';
import { MovementFeed } from './movement-feed.ts';
import type { ProjectorReply } from './projector.ts';
import { ProjectorThread, type ProjectorLink } from './projector-thread.ts';
import { readState } from './read-state.ts';
import type { SealedSegment } from './seal-segment.ts';
import { SegmentArchive } from './segment-archive.ts';
import { dropUnfinished, writeSegment } from './segment-writer.ts';

export interface ProjectionDeps {
  /** That of the journal. */
  readonly store: Store;
  readonly logger: Logger;
  /** Default: a thread of its own. */
  readonly link?: ProjectorLink;
}

export interface ProjectionOptions {
  /** Movements and frames that may wait to be taken. A frame has 8,190 movements, and what came due. */
  readonly maxLagMovements: number;
  readonly maxLagFrames: number;
  /** Movements of a segment, more or less. */
  readonly segmentMovements: number;
  /** Pages of the history that are kept in memory. */
  readonly cacheBytes: number;
}

export const DEFAULT_PROJECTION_OPTIONS: ProjectionOptions = {
  maxLagMovements: 500_000,
  maxLagFrames: 100_000,
  segmentMovements: 500_000,
  cacheBytes: 16 * 1024 * 1024,
};

/** How far the history is behind what was booked. */
export interface ProjectionLag {
  readonly frames: number;
  readonly movements: number;
}

interface Waiter {
  readonly sequence: number;
  /** Whether the segment that it waits for is on its way. */
  isAsked: boolean;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * The history of the ledger: follows the machine frame by frame and stores what it did, in segments, beside
 * the journal. A frame is in it once it is durable; what is not yet in a segment is held in memory, and
 * comes again with the replay after a crash. So that the replay has it, a checkpoint counts only once all
 * frames before it are in segments: see `stored`.
 */
export class Projection implements AsyncDisposable {
  readonly #deps: ProjectionDeps;
  readonly #options: ProjectionOptions;
  readonly #link: ProjectorLink;
  readonly #archive: SegmentArchive;
  readonly #feed = new MovementFeed();
  readonly history: History;
  /** The last frame that was noted, that is durable, that was taken, that is in a segment. */
  #noted: number;
  #durable: number;
  #taken: number;
  /** Handed over and not yet taken. */
  #away = { movements: 0, frames: 0 };
  #writing: Promise<void> = Promise.resolve();
  #room: PromiseWithResolvers<void> | undefined;
  #waiters: Waiter[] = [];
  #failure: Error | undefined;

  private constructor(deps: ProjectionDeps, options: ProjectionOptions, archive: SegmentArchive) {
    this.#deps = deps;
    this.#options = options;
    this.#archive = archive;
    this.#link = deps.link ?? new ProjectorThread();
    this.history = new History(archive, this.#link);
    this.#noted = archive.sequence;
    this.#durable = archive.sequence;
    this.#taken = archive.sequence;
    this.#link.listen(
      (reply) => this.#hear(reply),
      (error) => this.#fail(error),
    );
    deps.store.onFailed((error) => this.#fail(error));
  }

  static async open(deps: ProjectionDeps, options: Partial<ProjectionOptions> = {}): Promise<Projection> {
    const all = { ...DEFAULT_PROJECTION_OPTIONS, ...options };
    assert(all.maxLagMovements >= MAX_BATCH_ITEMS, 'the lag of a history may be a frame at least');
    const archive = await SegmentArchive.open(deps.store, all.cacheBytes);
    await dropUnfinished(deps.store, archive.last);
    const state = await readState(archive);
    // Last: nothing that can fail follows, so nobody is left with its thread.
    const projection = new Projection(deps, all, archive);
    projection.#link.send({ open: state, options: { segmentRows: all.segmentMovements } });
    return projection;
  }

  /** The last frame that is in a segment: a replay begins there or before. */
  get position(): number {
    return this.#archive.sequence;
  }

  /** Notes from now on what this machine does. It names the accounts, too. */
  follow(machine: LedgerMachine): void {
    machine.watch(this.#feed);
    this.history.name(machine);
  }

  /**
   * The machine has run a frame; all that it did since the last one belongs to it. Frames come in their
   * order, in a replay also those that are known already.
   */
  take(sequence: number, timeMs: number): void {
    if (sequence <= this.#noted) {
      this.#feed.dropFrame();
      return;
    }
    assert(sequence === this.#noted + 1, 'the history misses no frame');
    this.#feed.endFrame(sequence, timeMs);
    this.#noted = sequence;
  }

  /** The frames up to this one will not be lost: they may be told. */
  durable(sequence: number): void {
    if (sequence <= this.#durable) return;
    this.#durable = sequence;
    this.#feed.durable(sequence);
    this.#send();
  }

  lag(): ProjectionLag {
    return {
      frames: this.#feed.frames + this.#away.frames,
      movements: this.#feed.rows + this.#away.movements,
    };
  }

  /**
   * Resolves when another frame may be booked: at once, unless the lag would pass its bound.
   * @throws CodedError `history-failed`.
   */
  async ready(): Promise<void> {
    while (!this.#hasRoom) {
      if (this.#failure) throw this.#failure;
      this.#room ??= Promise.withResolvers();
      await this.#room.promise;
    }
    if (this.#failure) throw this.#failure;
  }

  /** So far that others may soon have to wait for it. */
  get #isBehind(): boolean {
    return this.lag().movements > this.#options.maxLagMovements / 4;
  }

  get #hasRoom(): boolean {
    const { frames, movements } = this.lag();
    const { maxLagFrames, maxLagMovements } = this.#options;
    return frames < maxLagFrames && movements + MAX_BATCH_ITEMS <= maxLagMovements;
  }

  /**
   * Resolves once all frames up to this durable one are in segments: only then may a replay begin after it.
   * @throws CodedError `history-failed`.
   */
  stored(sequence: number): Promise<void> {
    if (this.#failure) return Promise.reject(this.#failure);
    if (sequence <= this.position) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiters.push({ sequence, resolve, reject, isAsked: false });
      this.#askSeal();
    });
  }

  /** Resolves once all durable frames can be found. */
  async settled(): Promise<void> {
    while (this.#taken < this.#durable) {
      if (this.#failure) throw this.#failure;
      this.#room ??= Promise.withResolvers();
      await this.#room.promise;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#fail(ledgerError('The history is closed.', { code: 'ledger-closed' }), true);
    await this.#link[Symbol.asyncDispose]();
    await this.#writing.catch(() => undefined);
  }

  #send(): void {
    if (this.#away.frames > 0 || this.#failure) return;
    const before = this.lag();
    const batch = this.#feed.take();
    if (!batch) return;
    this.#away = {
      movements: before.movements - this.#feed.rows,
      frames: before.frames - this.#feed.frames,
    };
    this.#link.send({ batch });
  }

  #hear(reply: ProjectorReply): void {
    if (this.#failure) return;
    if ('taken' in reply) this.#hearTaken(reply.taken, reply.words);
    else if ('sealed' in reply) {
      this.#writing = this.#writing.then(() => this.#write(reply.sealed));
      this.#writing.catch((error: unknown) => this.#fail(error));
    } else this.history.hear(reply.id, reply.found);
  }

  #hearTaken(sequence: number, words: Uint32Array<ArrayBuffer>): void {
    this.#feed.giveBack(words);
    this.#taken = sequence;
    this.#away = { movements: 0, frames: 0 };
    this.#send();
    this.#askSeal();
    this.#room?.resolve();
    this.#room = undefined;
  }

  /** For those who wait for frames that were taken. */
  #askSeal(): void {
    const met = this.#waiters.filter(({ sequence, isAsked }) => !isAsked && sequence <= this.#taken);
    if (met.length > 0) this.#link.send({ seal: true });
    for (const waiter of met) waiter.isAsked = true;
  }

  async #write(sealed: SealedSegment): Promise<void> {
    if (this.#failure) return;
    await writeSegment(this.#deps.store, sealed, () => this.#isBehind);
    const { pages: _pages, ...facts } = sealed;
    this.#archive.added(facts);
    this.#link.send({ stored: sealed.segment });
    const met = this.#waiters.filter(({ sequence }) => sequence <= sealed.sequence);
    this.#waiters = this.#waiters.filter((waiter) => !met.includes(waiter));
    for (const { resolve } of met) resolve();
    const { segment, rows, sequence } = sealed;
    this.#deps.logger.debug('The history has a new segment', { segment, rows, sequence });
  }

  #fail(error: unknown, isClosing = false): void {
    if (this.#failure) return;
    if (!isClosing) this.#deps.logger.error('The history has stopped', { error: String(error) });
    const message = 'The history cannot go on, and nothing is booked without it. Open the ledger anew.';
    const failure = isClosing ? (error as Error) : ledgerError(message, { code: 'history-failed' }, error);
    this.#failure = failure;
    for (const { reject } of this.#waiters.splice(0)) reject(failure);
    this.history.fail(failure);
    this.#room?.resolve();
    this.#room = undefined;
  }
}
