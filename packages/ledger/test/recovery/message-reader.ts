export interface Message {
  /** One letter; empty for the startup message. */
  readonly type: string;
  /** With type and length. */
  readonly bytes: Buffer;
}

/** Cuts a stream of PostgreSQL's protocol, version 3, into its messages. */
export class MessageReader {
  #rest: Buffer = Buffer.alloc(0);
  #isStartup: boolean;

  constructor({ hasStartup = false } = {}) {
    this.#isStartup = hasStartup;
  }

  /** The messages that are whole by now. */
  *read(bytes: Buffer): Generator<Message, void, undefined> {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    for (;;) {
      const head = this.#isStartup ? 0 : 1;
      if (this.#rest.length < head + 4) return;
      const length = head + this.#rest.readUInt32BE(head);
      if (this.#rest.length < length) return;
      const message = this.#rest.subarray(0, length);
      this.#rest = this.#rest.subarray(length);
      const type = this.#isStartup ? '' : String.fromCharCode(message[0] ?? 0);
      this.#isStartup = false;
      yield { type, bytes: message };
    }
  }
}
