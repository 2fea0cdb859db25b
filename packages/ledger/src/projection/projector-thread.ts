import { Worker } from 'node:worker_threads';
import { Projector, type ProjectorReply, type ProjectorRequest } from './projector.ts';

/** A projector, wherever it runs. Replies come later, in the order of what they answer. */
export interface ProjectorLink extends AsyncDisposable {
  send(request: ProjectorRequest): void;
  /** Called once, before anything is sent. */
  listen(onReply: (reply: ProjectorReply) => void, onFailed: (error: Error) => void): void;
}

const FROM_SOURCE = import.meta.url.endsWith('.ts');
const WORKER = new URL(FROM_SOURCE ? './projector-worker.ts' : './projector-worker.js', import.meta.url);
/** Workspace packages are reached by their source where this file is. */
const EXEC_ARGV = FROM_SOURCE ? ['--conditions=@clawbernetes/source'] : [];

/** In a thread of its own. */
export class ProjectorThread implements ProjectorLink {
  readonly #worker = new Worker(WORKER, { execArgv: EXEC_ARGV });
  #closed = false;

  constructor() {
    // It keeps nobody awake: what it has not stored is read again from the journal.
    this.#worker.unref();
  }

  listen(onReply: (reply: ProjectorReply) => void, onFailed: (error: Error) => void): void {
    this.#worker.on('message', onReply);
    this.#worker.on('error', onFailed);
    this.#worker.on('exit', (code) => {
      if (!this.#closed) onFailed(new Error(`The thread that keeps the history ended with code ${code}.`));
    });
  }

  send(request: ProjectorRequest): void {
    const moved = 'batch' in request ? [request.batch.words.buffer, request.batch.marks.buffer] : [];
    this.#worker.postMessage(request, moved);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#worker.terminate();
  }
}

/** In the same thread, so that a simulation decides when everything happens. */
export class ProjectorInline implements ProjectorLink {
  #onReply: (reply: ProjectorReply) => void = () => undefined;
  #onFailed: (error: Error) => void = () => undefined;
  #closed = false;
  readonly #projector = new Projector((reply) => this.#reply(reply));

  listen(onReply: (reply: ProjectorReply) => void, onFailed: (error: Error) => void): void {
    this.#onReply = onReply;
    this.#onFailed = onFailed;
  }

  send(request: ProjectorRequest): void {
    queueMicrotask(() => {
      try {
        if (!this.#closed) this.#projector.handle(request);
      } catch (error) {
        this.#onFailed(error as Error);
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
  }

  #reply(reply: ProjectorReply): void {
    queueMicrotask(() => {
      if (!this.#closed) this.#onReply(reply);
    });
  }
}
