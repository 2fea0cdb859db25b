import type { OutputSink, OutputStream } from '../executor.ts';

const LIMIT_BYTES = 1024;

/** Passes output on and remembers how stderr began: what a sandbox says when it cannot be set up. */
export class FirstBytes implements OutputSink {
  readonly #sink: OutputSink;
  text = '';

  constructor(sink: OutputSink) {
    this.#sink = sink;
  }

  get received(): OutputSink['received'] {
    return this.#sink.received;
  }

  write(stream: OutputStream, bytes: Uint8Array): boolean {
    if (stream === 'stderr' && this.text.length < LIMIT_BYTES) {
      this.text += Buffer.from(bytes.subarray(0, LIMIT_BYTES)).toString('utf8');
    }
    return this.#sink.write(stream, bytes);
  }

  drained(): Promise<void> {
    return this.#sink.drained();
  }
}
