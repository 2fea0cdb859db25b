// Follows the journal away from the thread that books.
import { parentPort } from 'node:worker_threads';
import { Projector, type ProjectorRequest } from './projector.ts';

const projector = new Projector((reply) =>
  parentPort?.postMessage(reply, 'taken' in reply ? [reply.words.buffer] : []),
);
parentPort?.on('message', (request: ProjectorRequest) => projector.handle(request));
