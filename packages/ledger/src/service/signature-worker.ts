// Verifies signatures away from the thread that books.
import { parentPort } from 'node:worker_threads';
import type { VerifyTask } from './verifier-thread.ts';
import { isSigned } from './request-signature.ts';

parentPort?.on('message', (tasks: readonly VerifyTask[]) => {
  parentPort?.postMessage(tasks.map(({ operation, ledgerId }) => isSigned(operation, ledgerId)));
});
