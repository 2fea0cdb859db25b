// Audits a ledger away from the thread that books, with access of its own to the store.
import { parentPort, workerData } from 'node:worker_threads';
import { CodedError, errorMessage, systemClock, systemRandom, type ErrorFacts } from '@clawbernetes/kernel';
import { openRowSource } from '@clawbernetes/storage';
import { auditLedger } from './audit-ledger.ts';
import type { AuditReport } from './audit-report.ts';
import type { AuditReply, AuditTask } from './audit-thread.ts';
import { openScratch } from './open-scratch.ts';

function say(reply: AuditReply): void {
  parentPort?.postMessage(reply);
}

async function audit({ source, options, scratch: wanted }: AuditTask): Promise<AuditReport> {
  await using rows = await openRowSource(source);
  await using scratch = await openScratch({ clock: systemClock }, wanted);
  const seed = Buffer.from(systemRandom.bytes(6)).readUIntLE(0, 6);
  return await auditLedger(rows, { ...options, scratch, seed, onProgress: (progress) => say({ progress }) });
}

try {
  // The task is what `auditInThread` has put there.
  say({ report: await audit(workerData as AuditTask) });
} catch (error) {
  const facts: ErrorFacts | undefined = error instanceof CodedError ? (error as CodedError).facts : undefined;
  say({ failed: { message: errorMessage(error), ...(facts && { facts }) } });
}
