import { Socket } from 'node:net';
import type { Clock, Timer } from '@clawbernetes/kernel';
import type { OutputSink, OutputStream } from '../executor.ts';

/**
 * After the process tree is gone: how long a silent pipe is kept, and how much more is read from a noisy one.
 */
const LAST_SILENCE_MS = 2000;
const LAST_BYTES = 1024 * 1024;

/** Reads one stream of a workload into the sink, no faster than the sink takes it. */
export class OutputReader {
  readonly ended: Promise<void>;
  readonly #socket: Socket;
  readonly #clock: Clock;
  #timer: Timer | undefined;
  #bytesLeft = Infinity;
  #paused = false;
  #sawEnd = false;

  /** Takes over the descriptor. */
  constructor(clock: Clock, descriptor: number, stream: OutputStream, sink: OutputSink) {
    this.#clock = clock;
    this.#socket = new Socket({ fd: descriptor, readable: true, writable: false });
    this.ended = new Promise((resolve) => this.#socket.once('close', () => resolve()));
    // A failing read is the end of the stream: what came before is with the sink.
    this.#socket.on('error', () => this.#socket.destroy());
    this.#socket.once('end', () => {
      this.#sawEnd = true;
    });
    this.#socket.on('data', (bytes) => this.#take(bytes, stream, sink));
  }

  #take(bytes: Buffer, stream: OutputStream, sink: OutputSink): void {
    this.#bytesLeft -= bytes.length;
    if (this.#timer !== undefined) this.#watchSilence();
    if (this.#bytesLeft < 0) this.#socket.destroy();
    if (sink.write(stream, bytes)) return;
    this.#paused = true;
    this.#socket.pause();
    const resume = (): void => {
      this.#paused = false;
      this.#socket.resume();
    };
    void sink.drained().then(resume, resume);
  }

  /**
   * Reads what is left once every writer should be gone. One that escaped may hold the pipe open, or even
   * write on: neither delays the end for long. Answers whether every writer has closed it.
   */
  async finish(): Promise<boolean> {
    if (!this.#socket.destroyed) {
      this.#bytesLeft = LAST_BYTES;
      this.#watchSilence();
    }
    await this.ended;
    this.#timer?.cancel();
    return this.#sawEnd;
  }

  #watchSilence(): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.after(LAST_SILENCE_MS, () => {
      if (this.#paused) this.#watchSilence();
      else this.#socket.destroy();
    });
  }
}
