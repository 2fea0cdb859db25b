// Sorts ids that are set aside, away from the thread that answers.
import { parentPort } from 'node:worker_threads';
import { sortedRun } from './id-run.ts';

parentPort?.on('message', (entries: Uint32Array<SharedArrayBuffer>) => {
  parentPort?.postMessage(sortedRun(entries));
});
