import { tmpdir } from 'node:os';
import { Worker } from 'node:worker_threads';
import { CodedError, errorMessage } from '@clawbernetes/kernel';
import { sourcePorts, type RowSource, type Store } from '@clawbernetes/storage';
import { ledgerError, type LedgerError } from '../errors.ts';
import { auditLedger, type AuditOptions, type AuditProgress } from './audit-ledger.ts';
import type { AuditReport } from './audit-report.ts';
import type { ScratchOptions } from './open-scratch.ts';

const FROM_SOURCE = import.meta.url.endsWith('.ts');
const WORKER = new URL(FROM_SOURCE ? './audit-worker.ts' : './audit-worker.js', import.meta.url);
/** Workspace packages are reached by their source where this file is. */
const EXEC_ARGV = FROM_SOURCE ? ['--conditions=@clawbernetes/source'] : [];

export interface ThreadAuditOptions extends Omit<AuditOptions, 'scratch' | 'seed'>, Partial<ScratchOptions> {}

/** About 150 MB of memory; and the ids of 400 million transfers. */
const DEFAULTS = { heldIds: 800_000, maxBytes: 16 * 2 ** 30 };

/** What the thread is told: plain data. The source may hold a password and is never logged. */
export interface AuditTask {
  readonly source: RowSource;
  readonly options: Pick<AuditOptions, 'ledgerId' | 'through'>;
  readonly scratch: ScratchOptions;
}

export type AuditReply =
  | { readonly progress: AuditProgress }
  | { readonly report: AuditReport }
  | { readonly failed: { readonly message: string; readonly facts?: CodedError['facts'] } };

/**
 * As `auditLedger`, in a thread of its own that reads the store past this one; where only this thread reaches
 * the rows, in it. Nothing is left running when it ends, however that is. @throws CodedError `audit-failed`
 * also where the thread died; the signal's reason.
 */
export async function auditInThread(store: Store, options: ThreadAuditOptions): Promise<AuditReport> {
  const { folder = tmpdir(), heldIds, maxBytes, signal, onProgress, ...asked } = options;
  const source = await store.share();
  if (!source) return auditLedger(store, options);
  const scratch = { ...DEFAULTS, folder, ...(heldIds && { heldIds }), ...(maxBytes && { maxBytes }) };
  const workerData: AuditTask = { source, options: asked, scratch };
  const transferList = [...sourcePorts(source)];
  const worker = new Worker(WORKER, { execArgv: EXEC_ARGV, workerData, transferList });
  return await reportOf(worker, options);
}

/** What a thread comes to that audits; it has ended when this settles. */
export async function reportOf(
  worker: Worker,
  { signal, onProgress }: Pick<AuditOptions, 'signal' | 'onProgress'>,
): Promise<AuditReport> {
  const { promise, resolve, reject } = Promise.withResolvers<AuditReport>();
  const onAbort = (): void => reject(signal?.reason as Error);
  worker.on('message', (reply: AuditReply) => {
    if ('progress' in reply) onProgress?.(reply.progress);
    else if ('report' in reply) resolve(reply.report);
    else reject(failure(reply.failed));
  });
  worker.on('error', (error) => reject(died(errorMessage(error), error)));
  worker.on('exit', (code) => reject(died(`it ended with code ${code}`)));
  signal?.addEventListener('abort', onAbort);
  try {
    if (signal?.aborted) onAbort();
    return await promise;
  } finally {
    signal?.removeEventListener('abort', onAbort);
    await worker.terminate();
  }
}

function failure({ message, facts }: Extract<AuditReply, { failed: unknown }>['failed']): Error {
  if (facts) return new CodedError(message, facts);
  return ledgerError(`The audit came to no end: ${message}`, { code: 'audit-failed' });
}

function died(why: string, cause?: unknown): CodedError<LedgerError> {
  const message =
    `The thread that audits has died (${why}). Nothing is known to be wrong with the ledger: start the audit ` +
    'again, on a machine with more memory if it was out of it.';
  return ledgerError(message, { code: 'audit-failed' }, cause);
}
