import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { errorMessage, type Logger } from '@clawbernetes/kernel';
import { EngineReply } from './engine-reply.ts';
import type { StreamPosition } from './stream-cursor.ts';

/** Where reading one stream stands, for the engine's log and for the reader. */
export interface StreamMark extends StreamPosition {
  /** Bytes of the engine's log that the reader has. */
  readonly known: number;
  /**
   * Bytes that the reader was given: more than `known` if an engine died with some that it had not logged.
   */
  readonly delivered: number;
}

export interface OutputPosition {
  readonly stdout: StreamMark | undefined;
  readonly stderr: StreamMark | undefined;
}

/** Longer than any position; a record of one size is replaced in place by one write. */
const RECORD_BYTES = 1024;

/**
 * Remembers in a small file how far a container's output was read, for the next supervisor if this one is
 * killed. It is written right after the output is handed on, without waiting for the disk: a killed process
 * loses nothing of it, and at most the last piece of output comes twice (never, if the sink counts what it
 * `received`).
 */
export class OutputMark implements Disposable {
  readonly #file: number;
  readonly #logger: Logger;
  #failed = false;
  #closed = false;

  constructor({ logger }: { readonly logger: Logger }, path: string) {
    this.#logger = logger;
    // Created if it is not there, and not emptied if it is: writing begins when output does.
    this.#file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  }

  /** Undefined if there is none, or none that can be read: the output is then counted from its beginning. */
  static async read(path: string): Promise<OutputPosition | undefined> {
    try {
      const mark = new EngineReply(JSON.parse(await readFile(path, 'utf8')));
      return { stdout: streamMark(mark.at('stdout')), stderr: streamMark(mark.at('stderr')) };
    } catch {
      return undefined;
    }
  }

  static async remove(path: string): Promise<void> {
    await rm(path, { force: true });
  }

  save(position: OutputPosition): void {
    if (this.#closed) return;
    try {
      writeSync(this.#file, JSON.stringify(position).padEnd(RECORD_BYTES), 0);
    } catch (error) {
      if (!this.#failed)
        this.#logger.warn('Cannot note how far a container was read', { error: errorMessage(error) });
      this.#failed = true;
    }
  }

  [Symbol.dispose](): void {
    if (!this.#closed) closeSync(this.#file);
    this.#closed = true;
  }
}

function streamMark(reply: EngineReply): StreamMark | undefined {
  const at = reply.at('at').text();
  const [atBytes, bytes] = [reply.at('atBytes').number(), reply.at('bytes').number()];
  const [known, delivered] = [reply.at('known').number(), reply.at('delivered').number()];
  if (at === undefined || atBytes === undefined || bytes === undefined) return undefined;
  if (known === undefined || delivered === undefined) return undefined;
  return { first: reply.at('first').text(), at, atBytes, bytes, known, delivered };
}
