import { errorMessage } from '@clawbernetes/kernel';
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads';
import type { AnswerLimits } from '../answer-limit.ts';
import type { PageRequest } from '../row-scan.ts';
import type { GroupOutcome } from '../row-shape.ts';
import { StorageFault } from '../storage-fault.ts';
import type { QueryRow, StatementResult } from '../store-engine.ts';
import type { SqliteDatabaseOptions } from './sqlite-database.ts';
import type { SqliteGroup } from './sqlite-group.ts';
import type { SqliteReply, SqliteRequest } from './sqlite-message.ts';
import type { SqliteSession } from './sqlite-session.ts';

/** The worker runs from source in a clone and from the build in an installed package. */
const WORKER = new URL(
  import.meta.url.endsWith('.ts') ? './sqlite-worker.ts' : './sqlite-worker.js',
  import.meta.url,
);
/** Enough for the largest group and the largest answer; the page cache is outside of it. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 192, maxYoungGenerationSizeMb: 16 };

/**
 * Talks to the worker thread that owns the file. The number of requests in flight is bounded by the store.
 */
export class WorkerSqliteSession implements SqliteSession {
  readonly #limits: AnswerLimits;
  readonly #worker: Worker;
  readonly #pending: PromiseWithResolvers<SqliteReply>[] = [];
  #listener: ((fault: StorageFault) => void) | undefined;
  #fault: StorageFault | undefined;

  private constructor(limits: AnswerLimits) {
    this.#limits = limits;
    this.#worker = new Worker(WORKER, { resourceLimits: RESOURCE_LIMITS, execArgv: [] });
    this.#worker.on('message', (reply: SqliteReply) => this.#pending.shift()?.resolve(reply));
    this.#worker.on('messageerror', (error) => this.#lose(errorMessage(error)));
    this.#worker.on('error', (error) => this.#lose(errorMessage(error)));
    this.#worker.on('exit', (code) => this.#lose(`its worker thread ended with code ${code}`));
  }

  /** @throws StorageFault. */
  static async open(
    path: string,
    { maxCheckedBytes, pageBytes, ...limits }: SqliteDatabaseOptions & AnswerLimits,
  ): Promise<WorkerSqliteSession> {
    const session = new WorkerSqliteSession(limits);
    try {
      await session.#ask({ open: { path, options: { maxCheckedBytes, pageBytes } } });
      return session;
    } catch (error) {
      await session.#stop();
      throw error;
    }
  }

  readonly execute = (sql: string, parameters: readonly unknown[]): Promise<StatementResult> =>
    this.#statement({ execute: { sql, parameters } });

  readonly query = (sql: string, parameters: readonly unknown[]): Promise<StatementResult> =>
    this.#statement({ query: { sql, parameters, limits: this.#limits } });

  readonly readPage = async (page: PageRequest): Promise<QueryRow[]> => {
    const reply = await this.#ask({ page });
    if ('rows' in reply) return reply.rows;
    throw new StorageFault('storage-failed', 'the worker thread answered something else');
  };

  async commit(group: SqliteGroup): Promise<GroupOutcome> {
    const reply = await this.#ask({ commit: group });
    if ('outcome' in reply) return reply.outcome;
    throw new StorageFault('storage-failed', 'the worker thread answered something else');
  }

  readonly share = async (): Promise<MessagePort> => {
    const { port1, port2 } = new MessageChannel();
    await this.#ask({ share: port1 }, [port1]);
    return port2;
  };

  onFault(listener: (fault: StorageFault) => void): void {
    this.#listener = listener;
    if (this.#fault) listener(this.#fault);
  }

  async close(): Promise<void> {
    try {
      if (!this.#fault) await this.#ask({ close: true });
    } finally {
      await this.#stop();
    }
  }

  async #statement(request: SqliteRequest): Promise<StatementResult> {
    const reply = await this.#ask(request);
    if ('statement' in reply) return reply.statement;
    throw new StorageFault('storage-failed', 'the worker thread answered something else');
  }

  async #ask(request: SqliteRequest, moved: readonly MessagePort[] = []): Promise<SqliteReply> {
    if (this.#fault) throw this.#fault;
    const pending = Promise.withResolvers<SqliteReply>();
    this.#worker.postMessage(request, moved);
    this.#pending.push(pending);
    const reply = await pending.promise;
    if ('fault' in reply) throw new StorageFault(reply.fault.code, reply.fault.detail);
    return reply;
  }

  async #stop(): Promise<void> {
    this.#fault ??= new StorageFault('storage-failed', 'it is closed');
    this.#listener = undefined;
    await this.#worker.terminate();
  }

  #lose(detail: string): void {
    this.#fault ??= new StorageFault('storage-failed', detail);
    for (const pending of this.#pending.splice(0)) pending.reject(this.#fault);
    this.#listener?.(this.#fault);
    this.#listener = undefined;
  }
}
