import type { IdRun } from '../journal/id-run.ts';
import { IdSorter } from '../journal/id-sorter.ts';
import type { Operation } from '../journal/frame.ts';
import { SignatureVerifier, type SignatureVerifierOptions } from './signature-verifier.ts';

/** Work that takes longer than the thread that books may be kept. */
export interface LedgerThreads extends AsyncDisposable {
  /**
   * Sorts the ids of a table that are done, if any are; nobody changes it before the answer. The run holds
   * until the next call.
   */
  sortIds(entries: Uint32Array<SharedArrayBuffer>): Promise<IdRun | undefined>;
  /**
   * Whether the operation carries a valid signature for this ledger; answers come in the order of requests.
   */
  verify(operation: Operation, ledgerId: string): Promise<boolean>;
}

/** Real threads, which start when they are first needed. */
export class WorkerThreads implements LedgerThreads {
  readonly #verifier: SignatureVerifier;
  #sorter: IdSorter | undefined;

  constructor(options: SignatureVerifierOptions = {}) {
    this.#verifier = new SignatureVerifier(options);
  }

  sortIds(entries: Uint32Array<SharedArrayBuffer>): Promise<IdRun | undefined> {
    this.#sorter ??= new IdSorter();
    return this.#sorter.sortIds(entries);
  }

  verify(operation: Operation, ledgerId: string): Promise<boolean> {
    return this.#verifier.verify(operation, ledgerId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sorter?.[Symbol.asyncDispose]();
    await this.#verifier[Symbol.asyncDispose]();
  }
}
