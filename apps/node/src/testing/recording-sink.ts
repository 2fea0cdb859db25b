import type { OutputSink, OutputStream } from '../execution/executor.ts';

export interface RecordingSinkOptions {
  /** Asks the executor to pause after every write, as a full disk queue would. */
  readonly slow?: boolean;
  /** What it claims that the attempt was given before. */
  readonly received?: OutputSink['received'];
}

/** Keeps what a workload prints, and notes an executor that writes although it was asked to pause. */
export class RecordingSink implements OutputSink {
  readonly #slow: boolean;
  readonly #chunks: Record<OutputStream, Uint8Array[]> = { stdout: [], stderr: [] };
  readonly #paused: Record<OutputStream, boolean> = { stdout: false, stderr: false };
  /** Writes that came before `drained` resolved. */
  overruns = 0;
  readonly received: OutputSink['received'];

  constructor({ slow = false, received }: RecordingSinkOptions = {}) {
    this.#slow = slow;
    this.received = received;
  }

  write(stream: OutputStream, bytes: Uint8Array): boolean {
    if (this.#paused[stream]) this.overruns += 1;
    // A copy: the executor may reuse its buffer.
    this.#chunks[stream].push(Uint8Array.from(bytes));
    this.#paused[stream] = this.#slow;
    return !this.#slow;
  }

  async drained(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#paused.stdout = false;
    this.#paused.stderr = false;
  }

  bytes(stream: OutputStream): Uint8Array {
    return Buffer.concat(this.#chunks[stream]);
  }

  text(stream: OutputStream): string {
    return Buffer.from(this.bytes(stream)).toString('utf8');
  }
}
