import { Worker } from 'node:worker_threads';
import type { IdRun } from './id-run.ts';

const WORKER = new URL(
  import.meta.url.endsWith('.ts') ? './id-run-worker.ts' : './id-run-worker.js',
  import.meta.url,
);

/** Sorts one run at a time in a thread of its own. */
export class IdSorter implements AsyncDisposable {
  readonly #worker = new Worker(WORKER, { execArgv: [] });

  constructor() {
    // It keeps nobody awake, and its failure is told to whoever waits.
    this.#worker.unref();
  }

  /** See LedgerThreads. */
  sortIds(entries: Uint32Array<SharedArrayBuffer>): Promise<IdRun | undefined> {
    return new Promise((resolve, reject) => {
      const { promise, stop } = this.#first();
      promise.then(resolve, reject).finally(stop);
      this.#worker.postMessage(entries);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }

  #first(): { readonly promise: Promise<IdRun | undefined>; readonly stop: () => void } {
    const { promise, resolve, reject } = Promise.withResolvers<IdRun | undefined>();
    const onExit = (code: number): void =>
      reject(new Error(`The thread that sorts ids ended with code ${code}.`));
    this.#worker.on('message', resolve);
    this.#worker.on('error', reject);
    this.#worker.on('exit', onExit);
    const stop = (): void => {
      this.#worker.off('message', resolve);
      this.#worker.off('error', reject);
      this.#worker.off('exit', onExit);
    };
    return { promise, stop };
  }
}
