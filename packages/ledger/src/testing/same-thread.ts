import type { Operation } from '../journal/frame.ts';
import { sortedRun, type IdRun } from '../journal/id-run.ts';
import type { LedgerThreads } from '../service/ledger-threads.ts';
import { isSigned } from '../service/request-signature.ts';

/**
 * Does at once what a real ledger leaves to threads, so that a simulation decides when everything happens.
 */
export class SameThread implements LedgerThreads {
  async sortIds(entries: Uint32Array): Promise<IdRun | undefined> {
    return sortedRun(entries);
  }

  async verify(operation: Operation, ledgerId: string): Promise<boolean> {
    return isSigned(operation, ledgerId);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
