import type { MessagePort } from 'node:worker_threads';
import type { AnswerLimits } from '../answer-limit.ts';
import type { PageRequest } from '../row-scan.ts';
import { StorageFault } from '../storage-fault.ts';
import type { QueryRow, StatementResult } from '../store-engine.ts';
import type { SqliteRead, SqliteReply } from './sqlite-message.ts';

/** Reads of a thread that does not own the file, answered in order by the one that does. */
export class PortReads {
  readonly #port: MessagePort;
  readonly #limits: AnswerLimits;
  readonly #pending: PromiseWithResolvers<SqliteReply>[] = [];
  #fault: StorageFault | undefined;

  constructor(port: MessagePort, { maxQueryRows, maxQueryBytes }: AnswerLimits) {
    this.#port = port;
    this.#limits = { maxQueryRows, maxQueryBytes };
    port.on('message', (reply: SqliteReply) => this.#pending.shift()?.resolve(reply));
    port.on('close', () => this.#lose(new StorageFault('storage-failed', 'the store is closed')));
  }

  readonly query = async (sql: string, parameters: readonly unknown[]): Promise<StatementResult> => {
    const reply = await this.#ask({ query: { sql, parameters, limits: this.#limits } });
    if ('statement' in reply) return reply.statement;
    throw new StorageFault('storage-failed', 'the worker thread answered something else');
  };

  readonly readPage = async (page: PageRequest): Promise<QueryRow[]> => {
    const reply = await this.#ask({ page });
    if ('rows' in reply) return reply.rows;
    throw new StorageFault('storage-failed', 'the worker thread answered something else');
  };

  async close(): Promise<void> {
    this.#lose(new StorageFault('storage-failed', 'it is closed'));
    this.#port.close();
  }

  async #ask(request: SqliteRead): Promise<SqliteReply> {
    if (this.#fault) throw this.#fault;
    const pending = Promise.withResolvers<SqliteReply>();
    this.#port.postMessage(request);
    this.#pending.push(pending);
    const reply = await pending.promise;
    if ('fault' in reply) throw new StorageFault(reply.fault.code, reply.fault.detail);
    return reply;
  }

  #lose(fault: StorageFault): void {
    this.#fault ??= fault;
    for (const pending of this.#pending.splice(0)) pending.reject(this.#fault);
  }
}
