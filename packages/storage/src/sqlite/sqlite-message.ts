import type { MessagePort } from 'node:worker_threads';
import type { AnswerLimits } from '../answer-limit.ts';
import type { GroupOutcome } from '../row-shape.ts';
import type { FaultFacts } from '../storage-fault.ts';
import type { PageRequest } from '../row-scan.ts';
import type { QueryRow, StatementResult } from '../store-engine.ts';
import type { SqliteDatabaseOptions } from './sqlite-database.ts';
import type { SqliteGroup } from './sqlite-group.ts';

/** What the worker can be asked; it answers in order. */
export type SqliteRequest =
  | SqliteRead
  | { readonly open: { readonly path: string; readonly options: SqliteDatabaseOptions } }
  | { readonly execute: SqliteStatement }
  | { readonly commit: SqliteGroup }
  /** Answers what is read over this port as well, in turns with all else. */
  | { readonly share: MessagePort }
  | { readonly close: true };

/** What may be asked over the port of a row source, too. */
export type SqliteRead =
  { readonly query: SqliteStatement & { readonly limits: AnswerLimits } } | { readonly page: PageRequest };

export interface SqliteStatement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

export type SqliteReply =
  | { readonly done: true }
  | { readonly statement: StatementResult }
  | { readonly rows: QueryRow[] }
  | { readonly outcome: GroupOutcome }
  | { readonly fault: FaultFacts };
