import { once } from 'node:events';
import type { LogEntry } from '@clawbernetes/sdk';
import type { Context } from '../context.ts';

interface LogWriterOptions {
  readonly timestamps?: boolean;
  /** Only this one; notices of the platform are always shown. */
  readonly stream?: 'stdout' | 'stderr' | undefined;
}

/**
 * Writes log entries as they came: stdout to stdout, stderr to stderr, byte for byte; the platform's notices
 * to stderr.
 * With json each entry is one line on stdout.
 */
export class LogWriter {
  readonly #context: Context;
  readonly #options: LogWriterOptions;
  /** Streams whose last written byte was no newline: a notice must not begin in the middle of a line. */
  readonly #unfinished = new Set<NodeJS.WriteStream>();

  constructor(context: Context, options: LogWriterOptions = {}) {
    this.#context = context;
    this.#options = options;
  }

  /** Resolves when the reader of our output has kept up, so that nothing piles up here. */
  async write(entry: LogEntry & { readonly rank?: number }): Promise<void> {
    const { stream: wanted } = this.#options;
    if (wanted !== undefined && entry.stream !== wanted && entry.stream !== 'notice') return;
    const { stdout, stderr } = this.#context.terminal;
    if (this.#context.format === 'json') return this.#put(stdout, `${JSON.stringify(entryJson(entry))}\n`);
    if (entry.stream === 'notice') return this.#notice(entry);
    const target = entry.stream === 'stdout' ? stdout : stderr;
    await this.#put(target, this.#withPrefix(entry, !this.#unfinished.has(target)));
    if (entry.bytes.at(-1) === NEWLINE) this.#unfinished.delete(target);
    else if (entry.bytes.length > 0) this.#unfinished.add(target);
  }

  #withPrefix(entry: LogEntry & { readonly rank?: number }, atLineStart: boolean): Uint8Array {
    const { bytes, timeMs, rank } = entry;
    const time = this.#options.timestamps ? `${new Date(timeMs).toISOString()} ` : '';
    const prefix = `${rank === undefined ? '' : `[rank ${rank}] `}${time}`;
    return prefix === '' ? bytes : prefixed(bytes, prefix, rank !== undefined || atLineStart);
  }

  async #notice(entry: LogEntry & { readonly rank?: number }): Promise<void> {
    const { stdout, stderr, errorColours } = this.#context.terminal;
    const apart = this.#unfinished.has(stderr) || (this.#unfinished.has(stdout) && stdout.isTTY) ? '\n' : '';
    const text = new TextDecoder().decode(entry.bytes).trimEnd();
    await this.#put(
      stderr,
      `${apart}${errorColours.yellow(`[clawbernetes] ${entry.rank === undefined ? '' : `rank ${entry.rank}: `}${text}`)}\n`,
    );
    this.#unfinished.clear();
  }

  async #put(target: NodeJS.WriteStream, data: string | Uint8Array): Promise<void> {
    if (!target.write(data)) await once(target, 'drain');
  }
}

const NEWLINE = 10;

/** Begins each line with a prefix; only at the beginnings of lines, so that parts of a line join up. */
function prefixed(bytes: Uint8Array, prefix: string, atLineStart: boolean): Uint8Array {
  const begin = Buffer.from(prefix);
  const parts: Uint8Array[] = [];
  let start = 0;
  while (start < bytes.length) {
    const newline = bytes.indexOf(NEWLINE, start);
    const end = newline < 0 ? bytes.length : newline + 1;
    if (start > 0 || atLineStart) parts.push(begin);
    parts.push(bytes.subarray(start, end));
    start = end;
  }
  return Buffer.concat(parts);
}

export interface LogEntryJson {
  readonly timeMs: number;
  readonly stream: string;
  readonly data: string;
  readonly encoding: 'utf8' | 'base64';
  readonly position: number;
  /** Of the member of a gang that wrote it. */
  readonly rank?: number;
}

/** Text where the bytes are UTF-8, else base64. */
export function entryJson(entry: LogEntry & { readonly rank?: number }): LogEntryJson {
  const { timeMs, stream, bytes, position, rank } = entry;
  const whose = rank === undefined ? {} : { rank };
  try {
    const data = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return { timeMs, stream, data, encoding: 'utf8', position, ...whose };
  } catch {
    return {
      timeMs,
      stream,
      data: Buffer.from(bytes).toString('base64'),
      encoding: 'base64',
      position,
      ...whose,
    };
  }
}
