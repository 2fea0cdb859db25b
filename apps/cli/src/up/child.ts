import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { sleep, type Clock } from '@clawbernetes/kernel';
import { cliError } from '../errors.ts';

export interface ChildOptions {
  /** As people call it, such as "the gateway". */
  readonly title: string;
  readonly command: readonly [program: string, ...args: string[]];
  readonly logFile: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface ChildEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** With which our programs refuse arguments and configuration files. */
const INVALID_ARGUMENTS = 5;
const LOG_TAIL_BYTES = 4096;
const LOG_TAIL_LINES = 12;
const KILLED_WITHIN_MS = 5000;

/**
 * A process that `up` keeps: in a session of its own, so that Ctrl-C at the terminal reaches only `up`, which
 * then ends
 * its children in order. Its output goes to a log file.
 */
export class Child {
  readonly title: string;
  readonly logFile: string;
  readonly ended: Promise<ChildEnd>;
  readonly #clock: Clock;
  readonly #process: ChildProcess;
  #end: ChildEnd | undefined;

  static start(deps: { readonly clock: Clock }, options: ChildOptions): Child {
    mkdirSync(path.dirname(options.logFile), { recursive: true, mode: 0o700 });
    const log = openSync(options.logFile, 'a', 0o600);
    try {
      const [program, ...args] = options.command;
      const stdio = ['ignore', log, log] as const;
      const started = spawn(program, args, { stdio: [...stdio], detached: true, env: { ...options.env } });
      return new Child(deps.clock, started, options);
    } finally {
      closeSync(log);
    }
  }

  private constructor(clock: Clock, started: ChildProcess, { title, logFile }: ChildOptions) {
    this.#clock = clock;
    this.#process = started;
    this.title = title;
    this.logFile = logFile;
    this.ended = new Promise((resolve) => {
      const settle = (exitCode: number | null, signal: NodeJS.Signals | null): void => {
        this.#end = { exitCode, signal };
        resolve(this.#end);
      };
      started.once('exit', settle);
      started.once('error', () => settle(null, null));
    });
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get isRunning(): boolean {
    return this.#end === undefined;
  }

  /**
   * Asks politely, then kills after `graceMs` or as soon as `force` aborts. Resolves when the process is
   * gone.
   */
  async stop(graceMs: number, force: AbortSignal): Promise<void> {
    if (!this.isRunning) return;
    this.#process.kill('SIGTERM');
    await Promise.race([this.ended, sleep(this.#clock, graceMs, { signal: force }).catch(() => undefined)]);
    if (!this.isRunning) return;
    this.#process.kill('SIGKILL');
    await Promise.race([this.ended, sleep(this.#clock, KILLED_WITHIN_MS)]);
  }

  /** The error for an end that nobody asked for, with what the process said last. */
  async failure(): Promise<Error> {
    const { exitCode, signal } = await this.ended;
    const how = signal === null ? `exit code ${exitCode ?? 'unknown'}` : signal;
    const lines = await lastLines(this.logFile);
    const said = lines.length > 0 ? ` It said last:\n${lines.map((line) => `  ${line}`).join('\n')}` : '';
    const code = exitCode === INVALID_ARGUMENTS ? 'invalid-arguments' : 'child-exited';
    return cliError(code, `${this.title} ended by itself (${how}).${said}\nIts log: ${this.logFile}`);
  }
}

async function lastLines(file: string): Promise<string[]> {
  await using handle = await open(file, 'r');
  const { size } = await handle.stat();
  const begin = Math.max(0, size - LOG_TAIL_BYTES);
  const { buffer, bytesRead } = await handle.read({ buffer: Buffer.alloc(LOG_TAIL_BYTES), position: begin });
  const lines = buffer.toString('utf8', 0, bytesRead).trimEnd().split('\n');
  return lines.filter(Boolean).slice(-LOG_TAIL_LINES);
}
