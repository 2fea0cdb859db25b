import { apiError, type ConfigEntry } from '@clawbernetes/protocol';
import type { Row, RowChange } from '@clawbernetes/storage';
import type { FleetWriter } from '../fleet-writer.ts';

/** Versions kept of each entry. */
const MAX_VERSIONS = 100;
const MAX_ENTRIES = 10_000;

type Value = ConfigEntry['value'];

/** Versioned configuration, by namespace and key. Changes are events, so that a watcher misses none. */
export class ConfigEntries {
  readonly #deps: { readonly clock: { nowMs(): number }; readonly writer: FleetWriter };
  /** `namespace/key` → versions, oldest first. */
  readonly #entries = new Map<string, ConfigEntry[]>();

  constructor(
    deps: { readonly clock: { nowMs(): number }; readonly writer: FleetWriter },
    rows: readonly Row[],
  ) {
    this.#deps = deps;
    for (const row of rows) this.#load(row);
  }

  create(namespace: string, key: string, value: Value): ConfigEntry {
    const known = this.#entries.get(`${namespace}/${key}`)?.at(-1);
    if (known) {
      throw apiError(
        'name-taken',
        `"${key}" exists already, at version ${known.version}; use config update to change it.`,
      );
    }
    if (this.#entries.size >= MAX_ENTRIES)
      throw apiError('overloaded', `There are ${MAX_ENTRIES} entries, the limit; delete some.`);
    return this.#append(
      namespace,
      { key, value, version: 1, updatedAtMs: this.#deps.clock.nowMs() },
      'created',
    );
  }

  get(namespace: string, key: string, version?: number): ConfigEntry {
    const versions = this.#versions(namespace, key);
    const entry = version === undefined ? versions.at(-1) : versions.find((one) => one.version === version);
    if (entry) return entry;
    throw apiError(
      'not-found',
      `"${key}" has no version ${version}; it has ${versions[0]?.version} to ${versions.at(-1)?.version}.`,
    );
  }

  update(namespace: string, key: string, value: Value, expectedVersion?: number): ConfigEntry {
    const current = this.get(namespace, key);
    requireVersion(current, expectedVersion);
    const entry = { key, value, version: current.version + 1, updatedAtMs: this.#deps.clock.nowMs() };
    return this.#append(namespace, entry, 'updated');
  }

  delete(namespace: string, key: string, expectedVersion?: number): void {
    const current = this.get(namespace, key);
    requireVersion(current, expectedVersion);
    const versions = this.#versions(namespace, key);
    this.#entries.delete(`${namespace}/${key}`);
    this.#deps.writer.write(...versions.map((entry) => deletion(namespace, entry)));
    this.#record(namespace, 'deleted', current);
  }

  /** In key order, those after `cursor`. */
  list(
    namespace: string,
    { prefix, limit, cursor }: { prefix: string; limit: number; cursor?: string },
  ): readonly ConfigEntry[] {
    const current = Array.from(this.#entries.entries(), ([path, versions]) =>
      path.startsWith(`${namespace}/${prefix}`) ? versions.at(-1) : undefined,
    );
    return current
      .filter((entry) => entry !== undefined)
      .filter((entry) => cursor === undefined || entry.key > cursor)
      .toSorted((left, right) => (left.key < right.key ? -1 : 1))
      .slice(0, limit);
  }

  #versions(namespace: string, key: string): ConfigEntry[] {
    const versions = this.#entries.get(`${namespace}/${key}`);
    if (versions) return versions;
    throw apiError(
      'not-found',
      `There is no configuration entry "${key}"; config list shows those that exist.`,
    );
  }

  #append(namespace: string, entry: ConfigEntry, change: string): ConfigEntry {
    const path = `${namespace}/${entry.key}`;
    const versions = this.#entries.get(path) ?? [];
    this.#entries.set(path, versions);
    versions.push(entry);
    this.#deps.writer.write(insertion(namespace, entry));
    const dropped = versions.length > MAX_VERSIONS ? versions.shift() : undefined;
    if (dropped) this.#deps.writer.write(deletion(namespace, dropped));
    this.#record(namespace, change, entry);
    return entry;
  }

  #record(namespace: string, change: string, { key, version }: ConfigEntry): void {
    const message = `Configuration "${key}" was ${change}.`;
    this.#deps.writer.record({
      namespace,
      type: `config.${change}`,
      subject: key,
      cause: 'user',
      message,
      facts: { version },
    });
  }

  #load(row: Row): void {
    const path = `${String(row['namespace'])}/${String(row['key'])}`;
    const versions = this.#entries.get(path) ?? [];
    this.#entries.set(path, versions);
    versions.push({
      key: String(row['key']),
      value: JSON.parse(String(row['value'])) as Value,
      version: Number(row['version']),
      updatedAtMs: Number(row['updated_at_ms']),
    });
    versions.sort((left, right) => left.version - right.version);
  }
}

function requireVersion(current: ConfigEntry, expected: number | undefined): void {
  if (expected === undefined || expected === current.version) return;
  throw apiError(
    'conflict',
    `"${current.key}" is at version ${current.version}, not ${expected}: somebody changed it. Read it again and decide anew.`,
  );
}

function insertion(namespace: string, { key, version, value, updatedAtMs }: ConfigEntry): RowChange {
  const row = { namespace, key, version, value: JSON.stringify(value), updated_at_ms: updatedAtMs };
  return { table: 'config_entry', insert: row };
}

function deletion(namespace: string, { key, version }: ConfigEntry): RowChange {
  return { table: 'config_entry', delete: { namespace, key, version } };
}
