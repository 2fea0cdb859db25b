// Entry of the worker thread that owns the file. Relative imports only: package conditions do not reach it.
import { parentPort, type MessagePort } from 'node:worker_threads';
import { StorageFault } from '../storage-fault.ts';
import { SqliteDatabase } from './sqlite-database.ts';
import type { SqliteRead, SqliteReply, SqliteRequest } from './sqlite-message.ts';

let database: SqliteDatabase | undefined;

parentPort?.on('message', (request: SqliteRequest) => {
  const answer = reply(request);
  parentPort?.postMessage(answer, blobsOf(answer));
  if ('commit' in request) database?.checkpointWhenDue(); // after the acknowledgement, not before it
});

/** Whoever holds the other end can read, and nothing else. */
function share(port: MessagePort): void {
  port.on('message', (request: SqliteRead) => {
    const answer = 'query' in request || 'page' in request ? reply(request) : refusal();
    port.postMessage(answer, blobsOf(answer));
  });
}

function refusal(): SqliteReply {
  return { fault: { code: 'storage-rejected', detail: 'rows are read here' } };
}

function reply(request: SqliteRequest): SqliteReply {
  try {
    return perform(request);
  } catch (error) {
    if (error instanceof StorageFault) return { fault: { code: error.code, detail: error.detail } };
    return { fault: { code: 'storage-failed', detail: String(error) } };
  }
}

function perform(request: SqliteRequest): SqliteReply {
  if ('open' in request) {
    database = new SqliteDatabase(request.open.path, request.open.options);
    return { done: true };
  }
  if (!database) throw new StorageFault('storage-failed', 'the file is not open');
  if ('commit' in request) return { outcome: database.commit(request.commit) };
  if ('query' in request) {
    const { sql, parameters, limits } = request.query;
    return { statement: database.query(sql, parameters, limits) };
  }
  if ('page' in request) return { rows: database.readPage(request.page) };
  if ('execute' in request)
    return { statement: database.execute(request.execute.sql, request.execute.parameters) };
  if ('share' in request) {
    share(request.share);
    return { done: true };
  }
  database.close();
  database = undefined;
  return { done: true };
}

/** Blobs in an answer, which change threads without being copied. */
function blobsOf(answer: SqliteReply): ArrayBuffer[] {
  const rows = 'statement' in answer ? answer.statement.rows : 'rows' in answer ? answer.rows : [];
  const blobs = new Set<ArrayBuffer>();
  for (const row of rows) {
    for (const name in row) {
      const value = row[name];
      if (value instanceof Uint8Array && value.buffer instanceof ArrayBuffer) blobs.add(value.buffer);
    }
  }
  return [...blobs];
}
