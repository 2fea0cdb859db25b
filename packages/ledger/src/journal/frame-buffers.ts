/** A buffer is made for the largest of frames at hand, rounded up, so that few sizes come about. */
const GRAIN_BYTES = 64 * 1024;

/**
 * Memory for frames on their way to the disk. It is shared between threads, so that no frame is copied when
 * it is handed over, and taken again once a frame is durable.
 */
export class FrameBuffers {
  readonly #free: SharedArrayBuffer[] = [];
  readonly #most: number;

  /** @param most buffers that are kept while nobody needs them. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Zeroed bytes at the beginning of a buffer of their own. */
  take(length: number): Uint8Array<SharedArrayBuffer> {
    const found = this.#free.findIndex((buffer) => buffer.byteLength >= length);
    const [buffer] = found < 0 ? [] : this.#free.splice(found, 1);
    if (buffer) return new Uint8Array(buffer, 0, length).fill(0);
    return new Uint8Array(new SharedArrayBuffer(Math.ceil(length / GRAIN_BYTES) * GRAIN_BYTES), 0, length);
  }

  /** Nobody reads it any more. */
  giveBack({ buffer }: Uint8Array<SharedArrayBuffer>): void {
    if (this.#free.length >= this.#most) this.#free.shift();
    this.#free.push(buffer);
  }
}
