import { Worker } from 'node:worker_threads';
import type { Operation } from '../journal/frame.ts';

const FROM_SOURCE = import.meta.url.endsWith('.ts');
const WORKER = new URL(FROM_SOURCE ? './signature-worker.ts' : './signature-worker.js', import.meta.url);
/** Workspace packages are reached by their source where this file is. */
const EXEC_ARGV = FROM_SOURCE ? ['--conditions=@clawbernetes/source'] : [];
/** Requests that a thread gets at once. */
const BATCH = 256;

export interface VerifyTask {
  readonly operation: Operation;
  readonly ledgerId: string;
}

interface Asked {
  readonly task: VerifyTask;
  readonly resolve: (valid: boolean) => void;
  readonly reject: (error: Error) => void;
}

/** One thread that verifies, and those that wait for it, whose number the caller bounds. */
export class VerifierThread {
  readonly #worker = new Worker(WORKER, { execArgv: EXEC_ARGV });
  #waiting: Asked[] = [];
  #away: readonly Asked[] = [];
  #failure: Error | undefined;

  constructor() {
    this.#worker.on('message', (verdicts: readonly boolean[]) => this.#answer(verdicts));
    this.#worker.on('error', (error) => this.#fail(error as Error));
    this.#worker.on('exit', () => this.#fail(new Error('The thread that verifies signatures has ended.')));
    this.#worker.unref();
  }

  /** Requests that it has not answered. */
  get load(): number {
    return this.#waiting.length + this.#away.length;
  }

  /** It answers nothing any more. */
  get isOver(): boolean {
    return this.#failure !== undefined;
  }

  ask(task: VerifyTask): Promise<boolean> {
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ task, resolve, reject });
      if (this.#away.length === 0) this.#send();
    });
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #send(): void {
    this.#away = this.#waiting.splice(0, BATCH);
    this.#worker.postMessage(this.#away.map(({ task }) => task));
    // While somebody waits for an answer the process stays.
    this.#worker.ref();
  }

  #answer(verdicts: readonly boolean[]): void {
    for (const [index, { resolve }] of this.#away.entries()) resolve(verdicts[index] === true);
    this.#away = [];
    this.#worker.unref();
    if (this.#waiting.length > 0) this.#send();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of [...this.#away, ...this.#waiting]) reject(error);
    this.#away = [];
    this.#waiting = [];
  }
}
