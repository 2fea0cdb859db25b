import { assert } from '@clawbernetes/kernel';
import type { Kysely } from 'kysely';

/** Kysely's own word for "tables that are typed elsewhere"; callers narrow it with `rows.withTables<…>()`. */
// oxlint-disable-next-line typescript/no-explicit-any -- Kysely<unknown> knows no tables
export type AnyTables = any;

export interface TableDefinition {
  readonly name: string;
  /** Primary key columns. */
  readonly key: readonly string[];
}

/**
 * A forward-only step, run once inside a transaction of its own. Column types are those that both engines
 * hold alike: `bigint`, `text`, `double precision` and `bytea`.
 */
export interface Migration {
  /** Such as `fleet-0001-workloads`; all migrations run in the order of their names. */
  readonly name: string;
  up(database: Kysely<AnyTables>): Promise<void>;
}

export interface Schema {
  readonly tables: readonly TableDefinition[];
  readonly migrations: readonly Migration[];
}

/** One schema of many: packages own theirs, the composition root joins them. */
export function joinSchemas(schemas: readonly Schema[]): Schema {
  const tables = schemas.flatMap((schema) => schema.tables);
  const migrations = schemas.flatMap((schema) => schema.migrations);
  assertDistinct(tables, 'table');
  assertDistinct(migrations, 'migration');
  return { tables, migrations };
}

function assertDistinct(named: readonly { readonly name: string }[], what: string): void {
  const names = new Set<string>();
  for (const { name } of named) {
    assert(!names.has(name), `the ${what} "${name}" is defined once`);
    names.add(name);
  }
}
