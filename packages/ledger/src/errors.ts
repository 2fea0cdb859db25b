import { CodedError } from '@clawbernetes/kernel';

/** Facts of the errors of this package. What becomes of items of a batch are result codes, not errors. */
export type LedgerError =
  /** Bytes that should be a frame, a snapshot or an id page of a journal are not. */
  | { readonly code: 'journal-damaged'; readonly sequence: number }
  /** The replay of a frame gave other answers than its first run. */
  | { readonly code: 'journal-diverged'; readonly sequence: number }
  /** Written by a newer version. */
  | { readonly code: 'journal-too-new'; readonly sequence: number }
  /** More waits to be stored than may. Nothing of the request was done. */
  | { readonly code: 'ledger-overloaded' }
  /** The store failed, or the ledger is closed; open it anew. */
  | { readonly code: 'ledger-closed' }
  /** The history cannot be kept; open the ledger anew. */
  | { readonly code: 'history-failed' }
  /** An audit came to no end; nothing is known to be wrong with the ledger. */
  | { readonly code: 'audit-failed' }
  /** There is no room for the ids that an audit has to remember. */
  | { readonly code: 'audit-too-large' }
  /** It was not signed by whom it names, or not for this ledger. Nothing of it was done. */
  | { readonly code: 'signature-invalid' }
  /** A request that is no request: empty, too long, torn records. */
  | { readonly code: 'request-invalid' };

export function ledgerError(message: string, facts: LedgerError, cause?: unknown): CodedError<LedgerError> {
  return new CodedError(message, facts, cause === undefined ? {} : { cause });
}
