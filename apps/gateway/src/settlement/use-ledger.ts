import { errorCode, errorMessage } from '@clawbernetes/kernel';
import { apiError } from '@clawbernetes/protocol';
import type { SettlementSource } from './settlement-keeper.ts';
import type { Settlement } from './settlement.ts';

const RETRY_AFTER_MS = 1000;
/** After these it is opened anew. */
const STOPPED: ReadonlySet<string> = new Set(['ledger-closed', 'history-failed']);

/**
 * Does something with the ledger, whose failures become those of the API. @throws CodedError
 * `command-disabled`, `storage-unavailable`, `overloaded`, `invalid-input`, `forbidden`.
 */
export async function useLedger<T>(
  source: SettlementSource | undefined,
  work: (settlement: Settlement) => T | Promise<T>,
): Promise<T> {
  if (!source) {
    const message =
      'This gateway keeps no ledger. Start it with --settlement development to try things out, or name another gateway.';
    throw apiError('command-disabled', message);
  }
  const settlement = source.current();
  try {
    return await work(settlement);
  } catch (error) {
    if (STOPPED.has(errorCode(error) ?? '')) source.stopped(settlement, error);
    throw translated(error);
  }
}

function translated(error: unknown): unknown {
  const message = errorMessage(error);
  const options = { cause: error };
  switch (errorCode(error) ?? '') {
    case 'ledger-closed':
    case 'history-failed':
      return apiError('storage-unavailable', message, { retryAfterMs: RETRY_AFTER_MS }, options);
    case 'ledger-overloaded':
      return apiError('overloaded', message, { retryAfterMs: RETRY_AFTER_MS }, options);
    case 'audit-failed':
      return apiError('internal', message, {}, options);
    case 'audit-too-large':
      return apiError('storage-full', message, {}, options);
    case 'request-invalid':
      return apiError('invalid-input', message, {}, options);
    case 'signature-invalid':
      return apiError('forbidden', message, {}, options);
    default:
      return error;
  }
}
