import type { Clock, PacedLine } from '@clawbernetes/kernel';
import type { FrameChannel } from '@clawbernetes/protocol';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { FrameWriter } from './frame-writer.ts';

/**
 * Of one connection, what may wait for its turn before no more is read from it. An agent has fewer and less
 * on the way, so that its heartbeats are always seen.
 */
const MAX_WAITING = { frames: 256, bytes: 5 * 1024 * 1024 };

export interface WebSocketChannelDeps {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Of the frames of all nodes. */
  readonly line: PacedLine;
}

/**
 * A node's WebSocket as a channel of frames, which have their turn in the line of all nodes: who sends more
 * than there is time for is not read until that is handled. Text messages are not frames and close it.
 */
export class WebSocketChannel implements FrameChannel {
  readonly remote: string;
  readonly #deps: WebSocketChannelDeps;
  readonly #socket: WebSocket;
  readonly #writer: FrameWriter;
  #onFrame: (frame: Uint8Array) => void = () => undefined;
  #onWaiting: (frame: Uint8Array) => void = () => undefined;
  #waiting = 0;
  #waitingBytes = 0;
  #arrivedMs: number | undefined;

  /** @param stream over which the socket speaks. */
  constructor(deps: WebSocketChannelDeps, socket: WebSocket, stream: Duplex, remote: string) {
    this.#deps = deps;
    this.#socket = socket;
    this.#writer = new FrameWriter(socket, stream);
    this.remote = remote;
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) this.#take(data);
      else this.close(1003, 'frames are binary');
    });
    // An error is always followed by the close that is acted on.
    socket.on('error', () => undefined);
  }

  get backlogBytes(): number {
    return this.#writer.backlogBytes;
  }

  /** What the network holds for us while we do not read is unknown: that must not look like silence. */
  get arrivedMs(): number | undefined {
    return this.#socket.isPaused ? this.#deps.clock.monotonicMs() : this.#arrivedMs;
  }

  send(frame: Uint8Array): void {
    this.#writer.send(frame);
  }

  close(code: number, reason: string): void {
    this.#writer.flush();
    this.#socket.close(code, reason.slice(0, 120));
  }

  onFrame(listener: (frame: Uint8Array) => void): void {
    this.#onFrame = listener;
  }

  onWaiting(listener: (frame: Uint8Array) => void): void {
    this.#onWaiting = listener;
  }

  inTurn(action: () => void): void {
    this.#deps.line.do(action);
  }

  onClose(listener: (code: number, reason: string) => void): void {
    this.#socket.once('close', (code: number, reason: Buffer) =>
      this.inTurn(() => listener(code, reason.toString('utf8'))),
    );
  }

  #take(frame: Uint8Array): void {
    this.#waiting += 1;
    this.#waitingBytes += frame.length;
    this.#arrivedMs = this.#deps.clock.monotonicMs();
    let isHandled = false;
    this.#deps.line.do(() => {
      isHandled = true;
      this.#onFrame(frame);
      this.#waiting -= 1;
      this.#waitingBytes -= frame.length;
      if (this.#socket.isPaused && this.#waiting === 0) this.#resume();
    });
    if (!isHandled) this.#onWaiting(frame);
    const isMuch = this.#waiting >= MAX_WAITING.frames || this.#waitingBytes >= MAX_WAITING.bytes;
    if (isMuch && !this.#socket.isPaused) this.#socket.pause();
  }

  /** It can be heard again from now on. */
  #resume(): void {
    this.#arrivedMs = this.#deps.clock.monotonicMs();
    this.#socket.resume();
  }
}
