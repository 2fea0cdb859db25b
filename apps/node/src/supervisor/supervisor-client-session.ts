import type { Socket } from 'node:net';
import {
  CodedError,
  errorCode,
  errorMessage,
  type Clock,
  type Logger,
  type Timer,
} from '@clawbernetes/kernel';
import type { AttemptStatus } from '@clawbernetes/protocol';
import type { Event, Response } from './messages.ts';
import type { SupervisorWatcher } from './supervisor-core.ts';
import { encodeFrame, FrameReader, type WireFrame } from './wire.ts';

/** Unsent bytes above which no further requests are read and statuses are told in their newest state only. */
const MAX_BACKLOG_BYTES = 2 * 1024 * 1024;
/** Requests of one client in work; more wait in its socket. */
const MAX_REQUESTS = 4096;
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
  #working = 0;
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

  /** Closes once what was sent is taken. */
  end(): Promise<void> {
    return new Promise((resolve) => {
      this.#socket.end(() => resolve());
      if (this.#socket.destroyed) resolve();
    });
  }

  #receive(piece: Buffer): void {
    try {
      for (const frame of this.#reader.push(piece)) void this.#answer(frame);
    } catch (error) {
      this.#host.logger.warn('A client was disconnected', { error: errorMessage(error) });
      this.close();
    }
    this.#holdBack();
  }

  async #answer(frame: WireFrame): Promise<void> {
    const id = requestId(frame.message);
    this.#working += 1;
    try {
      const answers = await this.#host.handle(this, frame);
      for (const [index, { result, bytes }] of answers.entries()) {
        const more = index + 1 < answers.length;
        this.#send({ id, result, ...(more && { more }) }, bytes);
      }
    } catch (error) {
      const code = error instanceof CodedError ? error.code : (errorCode(error) ?? 'supervisor-request');
      this.#send({ id, error: { code, message: errorMessage(error) } });
    } finally {
      this.#working -= 1;
      this.#holdBack();
    }
  }

  #holdBack(): void {
    const full = this.#working >= MAX_REQUESTS || this.#backlogged;
    if (full && !this.#socket.isPaused()) this.#socket.pause();
    if (!full && this.#socket.isPaused()) this.#socket.resume();
  }

  #drained(): void {
    this.#holdBack();
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

function requestId(message: unknown): number {
  const id = typeof message === 'object' && message !== null && 'id' in message ? message.id : undefined;
  return typeof id === 'number' ? id : -1;
}
