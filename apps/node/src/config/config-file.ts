import { nearest } from '@clawbernetes/kernel';
import { nameSchema } from '@clawbernetes/protocol';
import { parse, TomlError } from 'smol-toml';
import { z } from 'zod';
import { nodeError, type NodeError } from '../errors.ts';
import { FEATURE_NAMES } from '../features.ts';
import { LOG_FORMATS, LOG_LEVELS } from '../platform/line-logger.ts';
import { tomlLine } from './toml-line.ts';

interface KeyRule<Schema extends z.ZodType = z.ZodType> {
  readonly schema: Schema;
  /** Completes "… must be". */
  readonly expects: string;
}

function rule<Schema extends z.ZodType>(schema: Schema, expects: string): KeyRule<Schema> {
  return { schema, expects };
}

const flag = rule(z.boolean(), 'true or false');
const text = rule(z.string().min(1), 'a text in quotes');

/** Keys above the first table. */
const ROOT = {
  features: rule(z.array(z.enum(FEATURE_NAMES)), `a list of ${FEATURE_NAMES.join(', ')}`),
} as const;

/** Every table and key that clawnode.toml may have. */
const TABLES = {
  node: {
    name: rule(nameSchema, '1–63 of a–z, 0–9, "-" and ".", starting and ending with a letter or digit'),
    gateway: text,
    reconnect_interval_secs: rule(z.number().min(0.1).max(3600), 'a number of seconds from 0.1 to 3600'),
    max_reconnect_attempts: rule(z.int().min(0).max(1_000_000), 'a whole number; 0 tries for ever'),
    labels: rule(z.record(z.string().min(1).max(253), z.string().max(253)), 'a table of texts'),
  },
  gpu: {
    auto_detect: flag,
    gpus: rule(z.array(z.union([z.string(), z.int().min(0)])).max(256), 'a list of GPU ids or numbers'),
    memory_alert_threshold: rule(z.number().min(1).max(100), 'a percentage from 1 to 100'),
    simulate: text,
    simulate_faults: rule(z.string().regex(/^\//), 'an absolute path'),
  },
  metrics: {
    interval_secs: rule(z.number().min(1).max(3600), 'a number of seconds from 1 to 3600'),
    detailed_gpu_metrics: flag,
  },
  network: {},
  workloads: {
    run_as: text,
    scratch_folder: rule(z.string().regex(/^\//), 'an absolute path'),
    log_mib_per_second: rule(z.number().min(0.1).max(1024), 'a number of MiB from 0.1 to 1024'),
  },
  tls: { ca_cert: text, client_cert: text, client_key: text },
  logging: {
    level: rule(z.enum(LOG_LEVELS), `one of ${LOG_LEVELS.join(', ')}`),
    format: rule(z.enum(LOG_FORMATS), `one of ${LOG_FORMATS.join(', ')}`),
  },
} as const;

type Values<Rules> = {
  readonly [Key in keyof Rules]?: Rules[Key] extends KeyRule<infer Schema> ? z.output<Schema> : never;
};
type Tables = typeof TABLES;
export type ConfigFile = Values<typeof ROOT> & { readonly [Name in keyof Tables]?: Values<Tables[Name]> };

/**
 * The content of a clawnode.toml.
 * @throws CodedError `invalid-config` with one message: file, line, key, what is wrong and the nearest valid
 * key.
 */
export function parseConfigFile(file: string, content: string): ConfigFile {
  const document = parseToml(file, content);
  const at = (...path: string[]): string => `${file}:${tomlLine(content, path)}`;
  for (const [name, value] of Object.entries(document)) {
    if (Object.hasOwn(ROOT, name)) {
      check(at(name), name, value, ROOT[name as keyof typeof ROOT]);
    } else {
      checkTable(at, name, value);
    }
  }
  // Every table and key has just been checked against its schema.
  return document;
}

function parseToml(file: string, content: string): Record<string, unknown> {
  try {
    return parse(content);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const what = error.message.split('\n', 1)[0]?.replace(/^Invalid TOML document: /, '');
    throw invalid(`${file}:${error.line}: this is not valid TOML: ${what}.`, error);
  }
}

function checkTable(at: (...path: string[]) => string, name: string, value: unknown): void {
  if (!Object.hasOwn(TABLES, name)) throw unknownName(at(name), name, value);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(`${at(name)}: "${name}" must be a table; write [${name}].`);
  }
  const rules: Readonly<Record<string, KeyRule>> = TABLES[name as keyof Tables];
  for (const [key, entry] of Object.entries(value)) {
    const known = Object.hasOwn(rules, key) ? rules[key] : undefined;
    if (!known) throw unknownKey(at(name, key), name, key, Object.keys(rules));
    check(at(name, key), `${key} in [${name}]`, entry, known);
  }
}

function check(where: string, what: string, value: unknown, { schema, expects }: KeyRule): void {
  if (schema.safeParse(value).success) return;
  const hint = misspelt(value);
  throw invalid(`${where}: ${what} must be ${expects}; it is ${JSON.stringify(value)}.${hint}`);
}

/** For lists of features: the name that was probably meant. */
function misspelt(value: unknown): string {
  if (!Array.isArray(value)) return '';
  const wrong = value.find((each) => typeof each === 'string' && !FEATURE_NAMES.includes(each)) as unknown;
  const near = typeof wrong === 'string' ? nearest(wrong, FEATURE_NAMES) : undefined;
  return near === undefined ? '' : ` Did you mean "${near}"?`;
}

function unknownName(where: string, name: string, value: unknown): NodeError {
  const isTable = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (name === 'molt') {
    return invalid(
      `${where}: [molt] comes with the compute market and is not supported by this version; remove it.`,
    );
  }
  const home = Object.entries(TABLES).find(([, keys]) => Object.hasOwn(keys, name))?.[0];
  if (!isTable && home !== undefined) return invalid(`${where}: "${name}" belongs into the table [${home}].`);
  const near = nearest(name, [...Object.keys(TABLES), ...Object.keys(ROOT)]);
  const kind = isTable ? `table [${name}]` : `key "${name}"`;
  return invalid(`${where}: unknown ${kind}. ${guess(near, Object.keys(TABLES), 'tables')}`);
}

function unknownKey(where: string, table: string, key: string, known: readonly string[]): NodeError {
  if (Object.hasOwn(ROOT, key)) {
    return invalid(`${where}: "${key}" belongs at the top of the file, before the first table.`);
  }
  const other = Object.entries(TABLES).find(([, keys]) => Object.hasOwn(keys, key))?.[0];
  if (other !== undefined) return invalid(`${where}: "${key}" belongs into [${other}], not [${table}].`);
  if (known.length === 0) {
    return invalid(`${where}: unknown key "${key}"; [${table}] has no settings in this version.`);
  }
  return invalid(
    `${where}: unknown key "${key}" in [${table}]. ${guess(nearest(key, known), known, 'keys')}`,
  );
}

function guess(near: string | undefined, known: readonly string[], kind: string): string {
  return near === undefined ? `Known ${kind}: ${known.join(', ')}.` : `Did you mean "${near}"?`;
}

function invalid(message: string, cause?: unknown): NodeError {
  return nodeError('invalid-config', message, cause === undefined ? {} : { cause });
}
