import { rename, readFile, rm, writeFile } from 'node:fs/promises';
import { every, type Clock, type Logger, errorMessage, type Timer } from '@clawbernetes/kernel';
import { EngineReply } from './engine-reply.ts';
import type { StreamPosition } from './stream-cursor.ts';

export interface OutputPosition {
  readonly stdout: StreamPosition | undefined;
  readonly stderr: StreamPosition | undefined;
}

const PERIOD_MS = 1000;

/**
 * Remembers in a small file how far a container's output was read, for a supervisor that is killed: needed only when
 * the engine's log was rotated meanwhile. Each second it writes the position of a second before, so that the mark is not
 * ahead of the workload's log, whose writes may take a moment, too.
 */
export class OutputMark implements AsyncDisposable {
  readonly #path: string;
  readonly #logger: Logger;
  readonly #timer: Timer;
  #previous: OutputPosition | undefined;
  #written: string | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(
    { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
    path: string,
    position: () => OutputPosition,
  ) {
    this.#path = path;
    this.#logger = logger;
    this.#timer = every(clock, PERIOD_MS, () => {
      if (this.#previous) this.#write(JSON.stringify(this.#previous));
      this.#previous = position();
    });
  }

  /** Undefined if there is none, or none that can be read: the output is then counted from its beginning. */
  static async read(path: string): Promise<OutputPosition | undefined> {
    try {
      const mark = new EngineReply(JSON.parse(await readFile(path, 'utf8')));
      return { stdout: positionOf(mark.at('stdout')), stderr: positionOf(mark.at('stderr')) };
    } catch {
      return undefined;
    }
  }

  static async remove(path: string): Promise<void> {
    await rm(path, { force: true });
    await rm(`${path}.new`, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer.cancel();
    await this.#writing;
  }

  #write(text: string): void {
    if (text === this.#written) return;
    this.#written = text;
    this.#writing = this.#writing.then(() => this.#replace(text));
  }

  async #replace(text: string): Promise<void> {
    try {
      await writeFile(`${this.#path}.new`, text, { mode: 0o600 });
      await rename(`${this.#path}.new`, this.#path);
    } catch (error) {
      this.#logger.warn('Cannot note how far a container was read', {
        path: this.#path,
        error: errorMessage(error),
      });
    }
  }
}

function positionOf(reply: EngineReply): StreamPosition | undefined {
  const [first, at] = [reply.at('first').text(), reply.at('at').text()];
  const [atBytes, bytes] = [reply.at('atBytes').number(), reply.at('bytes').number()];
  if (at === undefined || atBytes === undefined || bytes === undefined) return undefined;
  return { first, at, atBytes, bytes, delivered: reply.at('delivered').number() };
}
