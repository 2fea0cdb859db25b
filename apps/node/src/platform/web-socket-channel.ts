import { readFile } from 'node:fs/promises';
import { CodedError, errorCode, errorMessage, every, type Clock, type Timer } from '@clawbernetes/kernel';
import { DEFAULT_MAX_FRAME_BYTES, type FrameChannel } from '@clawbernetes/protocol';
import { WebSocket, type ClientOptions } from 'ws';
import { nodeError } from '../errors.ts';

/** The gateway answers pings; without an answer or a frame for two periods the connection is half open. */
const PING_INTERVAL_MS = 15_000;
/** A peer that does not answer the closing handshake is cut off. */
const CLOSE_GRACE_MS = 1000;
/** Frames that arrive before anybody listens. */
const MAX_EARLY_FRAMES = 16;

export interface TlsFiles {
  readonly caCert?: string;
  readonly clientCert?: string;
  readonly clientKey?: string;
}

/** A WebSocket client as a frame channel. */
export class WebSocketChannel implements FrameChannel {
  readonly remote: string;
  readonly #socket: WebSocket;
  readonly #clock: Clock;
  readonly #pings: Timer;
  readonly #early: Uint8Array[] = [];
  #onFrame: ((frame: Uint8Array) => void) | undefined;
  #onClose: ((code: number, reason: string) => void) | undefined;
  #closed: { readonly code: number; readonly reason: string } | undefined;
  #unanswered = 0;

  /** @throws CodedError `connect-failed`. */
  static async open(
    { clock }: { readonly clock: Clock },
    url: string,
    options: ClientOptions,
    { signal }: { readonly signal?: AbortSignal },
  ): Promise<WebSocketChannel> {
    const socket = new WebSocket(url, {
      maxPayload: DEFAULT_MAX_FRAME_BYTES,
      perMessageDeflate: false,
      ...options,
    });
    // Made before the connection is open: the first frame may come right behind.
    const channel = new WebSocketChannel({ clock }, socket, url);
    const abort = (): void => socket.terminate();
    signal?.addEventListener('abort', abort, { once: true });
    if (signal?.aborted) abort();
    try {
      await opened(socket);
      return channel;
    } catch (cause) {
      throw new CodedError(`${url}: ${errorMessage(cause)}`, { code: 'connect-failed' }, { cause });
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  private constructor({ clock }: { readonly clock: Clock }, socket: WebSocket, url: string) {
    this.#clock = clock;
    this.#socket = socket;
    this.remote = url;
    socket.binaryType = 'nodebuffer';
    socket.on('message', (data: Buffer) => this.#receive(data));
    socket.on('close', (code, reason) => this.#finish(code, reason.toString('utf8')));
    // What went wrong follows as a close; without a listener it would end the process.
    socket.on('error', () => undefined);
    socket.on('pong', () => {
      this.#unanswered = 0;
    });
    this.#pings = every(clock, PING_INTERVAL_MS, () => this.#ping());
  }

  get backlogBytes(): number {
    return this.#socket.bufferedAmount;
  }

  send(frame: Uint8Array): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(frame);
  }

  close(code: number, reason: string): void {
    if (this.#closed) return;
    this.#pings.cancel();
    this.#socket.close(code, Buffer.from(reason).subarray(0, 120));
    const timer = this.#clock.after(CLOSE_GRACE_MS, () => this.#socket.terminate());
    this.#socket.once('close', () => timer.cancel());
  }

  onFrame(listener: (frame: Uint8Array) => void): void {
    this.#onFrame = listener;
    for (const frame of this.#early.splice(0)) listener(frame);
  }

  onClose(listener: (code: number, reason: string) => void): void {
    this.#onClose = listener;
    if (this.#closed) listener(this.#closed.code, this.#closed.reason);
  }

  #receive(data: Buffer): void {
    // Who is behind with what we have sent has yet to read the ping.
    this.#unanswered = 0;
    if (this.#onFrame) this.#onFrame(data);
    else if (this.#early.length < MAX_EARLY_FRAMES) this.#early.push(data);
    else this.#socket.terminate();
  }

  #finish(code: number, reason: string): void {
    this.#pings.cancel();
    this.#closed = { code, reason };
    this.#onClose?.(code, reason);
  }

  #ping(): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    if (this.#unanswered >= 2) {
      this.#socket.terminate();
      return;
    }
    this.#unanswered += 1;
    this.#socket.ping();
  }
}

/** Certificates for `wss:` from their files. @throws CodedError `invalid-config` naming the file. */
export async function tlsOptions({ caCert, clientCert, clientKey }: TlsFiles): Promise<ClientOptions> {
  const [ca, cert, key] = await Promise.all([caCert, clientCert, clientKey].map(readOptional));
  return { ...(ca ? { ca } : {}), ...(cert ? { cert } : {}), ...(key ? { key } : {}) };
}

async function readOptional(file: string | undefined): Promise<Buffer | undefined> {
  if (file === undefined) return undefined;
  try {
    return await readFile(file);
  } catch (cause) {
    const what = errorCode(cause) ?? errorMessage(cause);
    throw nodeError('invalid-config', `${file}, named in [tls], cannot be read: ${what}.`, { cause });
  }
}

function opened(socket: WebSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
    socket.once('close', () => reject(new CodedError('closed while opening', { code: 'connect-failed' })));
  });
}
