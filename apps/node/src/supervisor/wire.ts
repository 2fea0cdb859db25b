import { CodedError } from '@clawbernetes/kernel';

/**
 * Frames between agent and supervisor: length of the rest u32, length of the JSON u32, JSON, then bytes;
 * little endian. A frame above the limit ends the connection.
 */
export const MAX_FRAME_BYTES = 4 * 1024 * 1024;

export interface WireFrame {
  readonly message: unknown;
  readonly bytes: Uint8Array;
}

const NOTHING = new Uint8Array();

export function encodeFrame(message: unknown, bytes: Uint8Array = NOTHING): Buffer {
  const text = JSON.stringify(message);
  const textLength = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(8 + textLength + bytes.length);
  frame.writeUInt32LE(4 + textLength + bytes.length, 0);
  frame.writeUInt32LE(textLength, 4);
  frame.write(text, 8, 'utf8');
  frame.set(bytes, 8 + textLength);
  return frame;
}

/** Puts frames together from whatever pieces a socket gives. */
export class FrameReader {
  #pieces: Buffer[] = [];
  #buffered = 0;

  /**
   * The frames that `piece` completes.
   * @throws CodedError `supervisor-request` when what comes is no frame; the connection is of no use then.
   */
  push(piece: Buffer): WireFrame[] {
    this.#pieces.push(piece);
    this.#buffered += piece.length;
    const frames: WireFrame[] = [];
    for (let length = this.#frameLength(); length !== undefined; length = this.#frameLength()) {
      frames.push(decodeFrame(this.#take(length)));
    }
    return frames;
  }

  /** Bytes of the next frame if it is whole. */
  #frameLength(): number | undefined {
    if (this.#buffered < 4) return undefined;
    const length = 4 + this.#gather(4).readUInt32LE(0);
    if (length > MAX_FRAME_BYTES || length < 8) throw garbage(`a frame of ${length} bytes`);
    if (this.#buffered < 8) return undefined;
    if (8 + this.#gather(8).readUInt32LE(4) > length) throw garbage('a frame shorter than its JSON');
    return this.#buffered >= length ? length : undefined;
  }

  #take(length: number): Buffer {
    const whole = this.#gather(length);
    const rest = whole.subarray(length);
    this.#pieces[0] = rest;
    if (rest.length === 0) this.#pieces.shift();
    this.#buffered -= length;
    return whole.subarray(0, length);
  }

  /** The first piece, made at least `length` bytes long. */
  #gather(length: number): Buffer {
    const [first = Buffer.alloc(0)] = this.#pieces;
    if (first.length >= length) return first;
    const whole = Buffer.concat(this.#pieces);
    this.#pieces = [whole];
    return whole;
  }
}

function decodeFrame(frame: Buffer): WireFrame {
  const textEnd = 8 + frame.readUInt32LE(4);
  try {
    return { message: JSON.parse(frame.toString('utf8', 8, textEnd)), bytes: frame.subarray(textEnd) };
  } catch {
    throw garbage('a frame that is not JSON');
  }
}

function garbage(what: string): CodedError {
  return new CodedError(`The connection carries ${what}, which is not the supervisor's protocol.`, {
    code: 'supervisor-request',
  });
}
