import type { FrameChannel } from '@clawbernetes/protocol';
import type { WebSocket } from 'ws';

/** A node's WebSocket as a channel of frames. Text messages are not frames and close it. */
export class WebSocketChannel implements FrameChannel {
  readonly remote: string;
  readonly #socket: WebSocket;
  #onFrame: (frame: Uint8Array) => void = () => undefined;

  constructor(socket: WebSocket, remote: string) {
    this.#socket = socket;
    this.remote = remote;
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) this.#onFrame(data);
      else socket.close(1003, 'frames are binary');
    });
    // An error is always followed by the close that is acted on.
    socket.on('error', () => undefined);
  }

  get backlogBytes(): number {
    return this.#socket.bufferedAmount;
  }

  send(frame: Uint8Array): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(frame);
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason.slice(0, 120));
  }

  onFrame(listener: (frame: Uint8Array) => void): void {
    this.#onFrame = listener;
  }

  onClose(listener: (code: number, reason: string) => void): void {
    this.#socket.once('close', (code: number, reason: Buffer) => listener(code, reason.toString('utf8')));
  }
}
