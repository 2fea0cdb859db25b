import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

/** So much is kept back at most, bytes. */
const MOST_AT_ONCE = 65_536;
const MAX_HEADER_BYTES = 10;
/** The last part of a message, which is binary (RFC 6455, section 5.2). */
const FINAL_BINARY = 0x82;

/**
 * Sends frames as messages of a WebSocket, those of one turn of the event loop in one write: orders for one
 * node come together more often than not, and to write costs more than to make one. ws would write each by
 * itself; what it writes on its own account, such as a pong, comes between two of ours.
 */
export class FrameWriter {
  readonly #socket: WebSocket;
  readonly #stream: Duplex;
  #frames: Uint8Array[] = [];
  /** Of those, with their headers at their longest. */
  #bytes = 0;

  /** @param stream over which the socket speaks. */
  constructor(socket: WebSocket, stream: Duplex) {
    this.#socket = socket;
    this.#stream = stream;
  }

  /** Bytes that the network has not taken, those that are kept back included. */
  get backlogBytes(): number {
    return this.#socket.bufferedAmount + this.#bytes;
  }

  /** Nothing is sent once either end has closed. */
  send(frame: Uint8Array): void {
    if (this.#frames.length === 0) queueMicrotask(() => this.flush());
    this.#frames.push(frame);
    this.#bytes += frame.length + MAX_HEADER_BYTES;
    if (this.#bytes >= MOST_AT_ONCE) this.flush();
  }

  /** Writes what is kept back; to be called before the socket is closed. */
  flush(): void {
    const [frames, bytes] = [this.#frames, this.#bytes];
    this.#frames = [];
    this.#bytes = 0;
    if (frames.length === 0 || this.#socket.readyState !== this.#socket.OPEN) return;
    const messages = Buffer.allocUnsafe(bytes);
    let end = 0;
    for (const frame of frames) {
      end = writeHeader(messages, end, frame.length);
      messages.set(frame, end);
      end += frame.length;
    }
    this.#stream.write(messages.subarray(0, end));
  }
}

/** A server masks nothing. @returns where it ends. */
function writeHeader(target: Buffer, at: number, length: number): number {
  const lengthAt = target.writeUInt8(FINAL_BINARY, at);
  if (length < 126) return target.writeUInt8(length, lengthAt);
  if (length < 65_536) return target.writeUInt16BE(length, target.writeUInt8(126, lengthAt));
  return target.writeBigUInt64BE(BigInt(length), target.writeUInt8(127, lengthAt));
}
