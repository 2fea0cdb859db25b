// Sorts ids that are set aside, away from the thread that answers.
import { parentPort } from 'node:worker_threads';
import { sortedRun } from './id-run.ts';
import { RunMemory } from './run-memory.ts';

/** One run is written before the next is sorted. */
const memory = new RunMemory();

parentPort?.on('message', (entries: Uint32Array<SharedArrayBuffer>) => {
  parentPort?.postMessage(sortedRun(entries, memory));
});
