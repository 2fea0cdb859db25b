import { CodedError } from '@clawbernetes/kernel';
import type { OutputStream } from '../executor.ts';

const HEADER_BYTES = 8;
/** Engines send entries of up to 16 KiB (logs) or 32 KiB (exec); anything near this is not a frame. */
const MAX_FRAME_BYTES = 16 * 1024 * 1024;

export interface OutputFrame {
  readonly stream: OutputStream;
  readonly payload: Buffer;
}

/**
 * Cuts an engine's multiplexed stream into frames: one byte of stream number (1 or 2), three of zero, four of
 * length (big endian), payload. Docker Engine API, "Attach to a container", stream format.
 */
export class OutputFrames {
  #rest: Buffer = Buffer.alloc(0);

  /** The frames that `chunk` completes. @throws CodedError `engine-unreachable` if this is no such stream. */
  push(chunk: Buffer): readonly OutputFrame[] {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const frames: OutputFrame[] = [];
    let offset = 0;
    while (bytes.length - offset >= HEADER_BYTES) {
      const length = bytes.readUInt32BE(offset + 4);
      const stream = streamOf(bytes, offset, length);
      const end = offset + HEADER_BYTES + length;
      if (end > bytes.length) break;
      frames.push({ stream, payload: bytes.subarray(offset + HEADER_BYTES, end) });
      offset = end;
    }
    this.#rest = bytes.subarray(offset);
    return frames;
  }
}

function streamOf(bytes: Buffer, offset: number, length: number): OutputStream {
  const number = bytes[offset];
  if (number === undefined || number > 2 || length > MAX_FRAME_BYTES) {
    throw new CodedError('The container engine sent output that is not in its own format.', {
      code: 'engine-unreachable',
    });
  }
  return number === 2 ? 'stderr' : 'stdout';
}
