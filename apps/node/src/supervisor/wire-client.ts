import { createConnection, type Socket } from 'node:net';
import { assert, CodedError } from '@clawbernetes/kernel';
import type { Event, MethodName, Params, Response, Result } from './messages.ts';
import { supervisorError } from './supervisor-error.ts';
import { encodeFrame, FrameReader, type WireFrame } from './wire.ts';

/** Requests in flight of one agent; more is a fault of the caller. */
const MAX_PENDING = 100_000;

export interface Reply<M extends MethodName> {
  readonly result: Result<M>;
  readonly bytes: Uint8Array;
}

interface Pending {
  readonly parts: unknown[];
  resolve(reply: { result: unknown; bytes: Uint8Array }): void;
  reject(error: Error): void;
}

/** One connection to a supervisor: requests are answered in whatever order, events come in between. */
export class WireClient {
  readonly #socket: Socket;
  readonly #reader = new FrameReader();
  readonly #pending = new Map<number, Pending>();
  readonly #onEvent: (event: Event) => void;
  readonly closed: Promise<void>;
  #nextId = 1;
  #corked = false;

  /** @throws the system's error, such as ENOENT or ECONNREFUSED, if nobody listens. */
  static connect(path: string, onEvent: (event: Event) => void): Promise<WireClient> {
    return new Promise((resolve, reject) => {
      const socket = createConnection(path);
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new WireClient(socket, onEvent));
      });
    });
  }

  private constructor(socket: Socket, onEvent: (event: Event) => void) {
    this.#socket = socket;
    this.#onEvent = onEvent;
    socket.on('data', (piece: Buffer) => this.#receive(piece));
    socket.on('error', () => socket.destroy());
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#failPending();
        resolve();
      });
    });
  }

  /** @throws CodedError as the supervisor answered, or `supervisor-lost` if the connection ends before. */
  request<M extends MethodName>(method: M, params: Params<M>): Promise<Reply<M>> {
    if (this.#socket.destroyed) return Promise.reject(lost());
    assert(this.#pending.size < MAX_PENDING, 'requests to the supervisor stay within their limit');
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<{ result: unknown; bytes: Uint8Array }>();
    this.#pending.set(id, { parts: [], resolve, reject });
    this.#write(encodeFrame({ id, method, params }));
    // The result's shape is the method's, by the protocol version that both sides agreed on.
    return promise as Promise<Reply<M>>;
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Requests of one turn of the event loop leave in one write. */
  #write(frame: Uint8Array): void {
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#corked = false;
        this.#socket.uncork();
      });
    }
    this.#socket.write(frame);
  }

  #receive(piece: Buffer): void {
    try {
      for (const frame of this.#reader.push(piece)) this.#take(frame);
    } catch {
      this.close();
    }
  }

  #take({ message, bytes }: WireFrame): void {
    // The peer is our own supervisor of an agreed protocol version.
    const received = message as Response | Event;
    if ('event' in received) return this.#onEvent(received);
    const pending = this.#pending.get(received.id);
    if (!pending) return;
    if ('result' in received) pending.parts.push(received.result);
    if ('more' in received) return;
    this.#pending.delete(received.id);
    if ('error' in received)
      pending.reject(new CodedError(received.error.message, { code: received.error.code }));
    else pending.resolve({ result: joined(pending.parts), bytes });
  }

  #failPending(): void {
    for (const { reject } of this.#pending.values()) reject(lost());
    this.#pending.clear();
  }
}

/** An answer in several frames is a list in several parts. */
function joined(parts: readonly unknown[]): unknown {
  return parts.length === 1 ? parts[0] : parts.flat();
}

function lost(): CodedError {
  return supervisorError(
    'supervisor-lost',
    "The connection to the node's supervisor ended before it answered.",
  );
}
