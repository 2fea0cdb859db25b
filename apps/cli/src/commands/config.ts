import { text } from 'node:stream/consumers';
import type { ConfigEntry } from '@clawbernetes/protocol';
import type { Context } from '../context.ts';
import type { Call } from '../declare/declaration.ts';
import { age, oneLine } from '../output/phrases.ts';
import { renderTable } from '../output/table.ts';

type Value = ConfigEntry['value'];

interface VersionOptions {
  readonly version?: number;
  readonly expectedVersion?: number;
}

const PAGE = 1000;

export async function createEntry({ context, operands: [key = '', raw = ''] }: Call): Promise<void> {
  const client = await context.client();
  const entry = await client.command('config.create', { key, value: await parseValue(context, raw) });
  await context.print(entry, () => `${entry.key} created, version ${entry.version}.`);
}

export async function getEntry({ context, operands: [key = ''], options }: Call): Promise<void> {
  const { version } = options as VersionOptions;
  const client = await context.client();
  const entry = await client.command('config.get', { key, ...(version === undefined ? {} : { version }) });
  await context.print(entry, () => valueText(entry.value));
}

export async function updateEntry({ context, operands: [key = '', raw = ''], options }: Call): Promise<void> {
  const client = await context.client();
  const value = await parseValue(context, raw);
  const entry = await client.command('config.update', { key, value, ...expected(options) });
  await context.print(entry, () => `${entry.key} is at version ${entry.version} now.`);
}

export async function deleteEntry({ context, operands: [key = ''], options }: Call): Promise<void> {
  const client = await context.client();
  const answer = await client.command('config.delete', { key, ...expected(options) });
  await context.print(answer, () => `${answer.key} deleted.`);
}

export async function listEntries({ context, operands: [prefix = ''] }: Call): Promise<void> {
  const client = await context.client();
  const entries: ConfigEntry[] = [];
  let cursor: string | undefined;
  do {
    const page = await client.command('config.list', {
      prefix,
      limit: PAGE,
      ...(cursor === undefined ? {} : { cursor }),
    });
    entries.push(...page.entries);
    cursor = page.next;
  } while (cursor !== undefined);
  await context.print({ entries }, () => {
    if (entries.length === 0) return `No configuration entries${prefix ? ` below "${prefix}"` : ''}.`;
    const nowMs = context.clock.nowMs();
    return renderTable(
      ['KEY', 'VERSION', 'AGE', 'VALUE'],
      entries.map((entry) => [
        entry.key,
        String(entry.version),
        age(entry.updatedAtMs, nowMs),
        oneLine(JSON.stringify(entry.value)),
      ]),
      { columns: context.columns },
    );
  });
}

/** Changes from now on. The events say which entry changed; its value is then read. */
export async function watchEntries({ context, operands: [prefix = ''] }: Call): Promise<void> {
  const client = await context.client();
  if (context.format === 'table') {
    const what = prefix === '' ? 'all entries' : `entries below "${prefix}"`;
    context.remark(`Watching ${what}; Ctrl-C ends.`);
  }
  for await (const event of client.events({ from: 'now' })) {
    if (!event.type.startsWith('config.') || !event.subject.startsWith(prefix)) continue;
    const { sequence, timeMs, type, subject: key, facts } = event;
    const { colours, stdout } = context.terminal;
    if (context.format === 'json')
      stdout.write(`${JSON.stringify({ sequence, timeMs, type, key, ...facts })}\n`);
    else
      stdout.write(
        `${colours.dim(new Date(timeMs).toISOString())}  ${colours.cyan(type)}  ${key}  ${oneLine(event.message, 200)}\n`,
      );
  }
}

function expected(options: unknown): { expectedVersion?: number } {
  const { expectedVersion } = options as VersionOptions;
  return expectedVersion === undefined ? {} : { expectedVersion };
}

/** JSON where it is some, else the text itself: `8` is a number, `hello` a string. */
async function parseValue(context: Context, raw: string): Promise<Value> {
  const source = raw === '-' ? await text(context.terminal.stdin) : raw;
  try {
    return JSON.parse(source) as Value;
  } catch {
    return source;
  }
}

function valueText(value: Value): string {
  return typeof value === 'string' ? value : JSON.stringify(value, undefined, 2);
}
