import type { Socket } from 'node:net';
import {
  assert,
  BoundedQueue,
  errorCode,
  errorMessage,
  type Clock,
  type Logger,
  type Timer,
} from '@clawbernetes/kernel';
import type { AttemptStatus } from '@clawbernetes/protocol';
import { MAX_LOG_SLICE_BYTES, type Event, type Response } from './messages.ts';
import type { SupervisorWatcher } from './supervisor-core.ts';
import { encodeFrame, FrameReader, type WireFrame } from './wire.ts';

/** Unsent bytes above which no further requests are read and statuses are told in their newest state only. */
const MAX_BACKLOG_BYTES = 2 * 1024 * 1024;
/** Requests of one client in work; more wait in its socket. */
const MAX_REQUESTS = 4096;
/** Requests in one piece that a socket gives: 64 KiB hold no more, at their shortest; with some room. */
const MAX_WAITING = 65_536;
const STATUSES_PER_FRAME = 500;
/** Log growth is told at once and then this often at most, ms. */
const LOG_EVENT_MS = 20;

export interface SessionHost {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Acts on a request. What it throws is answered as an error. */
  handle(session: ClientSession, frame: WireFrame): Promise<readonly Answer[]>;
  status(attemptId: string): AttemptStatus | undefined;
  logEnd(attemptId: string): number;
  closed(session: ClientSession): void;
}

export interface Answer {
  readonly result: unknown;
  readonly bytes?: Uint8Array;
}

/**
 * One connection of an agent to the supervisor. Nothing of it grows without limit when the agent is slow or
 * silent.
 */
export class ClientSession implements SupervisorWatcher {
  owner = '';
  readonly #host: SessionHost;
  readonly #socket: Socket;
  readonly #reader = new FrameReader();
  readonly #late = new Set<string>();
  readonly #grown = new Set<string>();
  #logTimer: Timer | undefined;
  /** Requests that arrived with others and wait until there is room for their answers. */
  readonly #waiting = new BoundedQueue<WireFrame>(MAX_WAITING);
  #working = 0;
  /** Bytes that the answers to the requests in work may take. */
  #reservedBytes = 0;
  #corked = false;

  constructor(host: SessionHost, socket: Socket) {
    this.#host = host;
    this.#socket = socket;
    socket.on('data', (piece: Buffer) => this.#receive(piece));
    socket.on('drain', () => this.#drained());
    socket.on('error', (error) => host.logger.debug('A client connection failed', { error: error.message }));
    socket.on('close', () => {
      this.#logTimer?.cancel();
      host.closed(this);
    });
  }

  get #backlogged(): boolean {
    return this.#socket.writableLength > MAX_BACKLOG_BYTES;
  }

  get #full(): boolean {
    const unsentBytes = this.#socket.writableLength + this.#reservedBytes;
    return this.#working >= MAX_REQUESTS || unsentBytes > MAX_BACKLOG_BYTES;
  }

  statuses(statuses: readonly AttemptStatus[]): void {
    if (this.#backlogged || this.#late.size > 0) {
      for (const { attemptId } of statuses) this.#late.add(attemptId);
      return;
    }
    for (let at = 0; at < statuses.length; at += STATUSES_PER_FRAME) {
      this.#sendEvent({ event: 'statuses', statuses: statuses.slice(at, at + STATUSES_PER_FRAME) });
    }
  }

  logs(attemptIds: ReadonlySet<string>): void {
    for (const attemptId of attemptIds) this.#grown.add(attemptId);
    if (!this.#logTimer) this.#tellGrown();
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Says that the supervisor ends, and closes once what was sent is taken. */
  end(): Promise<void> {
    this.#sendEvent({ event: 'bye' });
    return new Promise((resolve) => {
      this.#socket.end(() => resolve());
      if (this.#socket.destroyed) resolve();
    });
  }

  #receive(piece: Buffer): void {
    try {
      for (const frame of this.#reader.push(piece)) {
        assert(this.#waiting.push(frame), 'a piece of a socket holds no more requests than may wait');
      }
    } catch (error) {
      this.#host.logger.warn('A client was disconnected', { error: errorMessage(error) });
      this.close();
    }
    this.#goOn();
  }

  async #answer(frame: WireFrame): Promise<void> {
    const id = requestId(frame.message);
    const reservedBytes = answerBytes(frame.message);
    this.#working += 1;
    this.#reservedBytes += reservedBytes;
    try {
      const answers = await this.#host.handle(this, frame);
      for (const [index, { result, bytes }] of answers.entries()) {
        const more = index + 1 < answers.length;
        this.#send({ id, result, ...(more && { more }) }, bytes);
      }
    } catch (error) {
      const code = errorCode(error) ?? 'supervisor-request';
      this.#send({ id, error: { code, message: errorMessage(error) } });
    } finally {
      this.#working -= 1;
      this.#reservedBytes -= reservedBytes;
      this.#goOn();
    }
  }

  /** Takes on waiting requests as far as there is room, and reads more only when none wait. */
  #goOn(): void {
    while (!this.#full && !this.#socket.destroyed) {
      const frame = this.#waiting.shift();
      if (!frame) break;
      void this.#answer(frame);
    }
    const hold = this.#full || this.#waiting.size > 0;
    if (hold && !this.#socket.isPaused()) this.#socket.pause();
    if (!hold && this.#socket.isPaused()) this.#socket.resume();
  }

  #drained(): void {
    this.#goOn();
    const late = [...this.#late].flatMap((attemptId) => this.#host.status(attemptId) ?? []);
    this.#late.clear();
    this.statuses(late);
  }

  #tellGrown(): void {
    this.#logTimer = undefined;
    if (this.#grown.size === 0) return;
    this.#logTimer = this.#host.clock.after(LOG_EVENT_MS, () => this.#tellGrown());
    if (this.#backlogged) return;
    const grown = [...this.#grown];
    this.#grown.clear();
    this.#sendEvent({
      event: 'logs',
      ends: grown.map((attemptId) => [attemptId, this.#host.logEnd(attemptId)] as const),
    });
  }

  #sendEvent(event: Event): void {
    this.#send(event);
  }

  /** Frames of one turn of the event loop leave in one write. */
  #send(message: Response | Event, bytes?: Uint8Array): void {
    if (this.#socket.destroyed) return;
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#corked = false;
        this.#socket.uncork();
      });
    }
    this.#socket.write(encodeFrame(message, bytes));
  }
}

/** What a request says that its answer may take at most; nothing said, little is taken. */
function answerBytes(message: unknown): number {
  const params =
    typeof message === 'object' && message !== null && 'params' in message ? message.params : undefined;
  const maxBytes =
    typeof params === 'object' && params !== null && 'maxBytes' in params ? params.maxBytes : 0;
  return typeof maxBytes === 'number' && maxBytes > 0 ? Math.min(maxBytes, MAX_LOG_SLICE_BYTES) : 0;
}

function requestId(message: unknown): number {
  const id = typeof message === 'object' && message !== null && 'id' in message ? message.id : undefined;
  return typeof id === 'number' ? id : -1;
}
