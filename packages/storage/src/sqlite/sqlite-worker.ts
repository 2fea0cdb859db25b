// Entry of the worker thread that owns the file. Relative imports only: package conditions do not reach it.
import { parentPort } from 'node:worker_threads';
import { StorageFault } from '../storage-fault.ts';
import { SqliteDatabase } from './sqlite-database.ts';
import type { SqliteReply, SqliteRequest } from './sqlite-message.ts';

let database: SqliteDatabase | undefined;

parentPort?.on('message', (request: SqliteRequest) => parentPort?.postMessage(reply(request)));

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
  if ('execute' in request)
    return { statement: database.execute(request.execute.sql, request.execute.parameters) };
  database.close();
  database = undefined;
  return { done: true };
}
