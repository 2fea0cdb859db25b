import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import { until } from './until.ts';

const apps = path.resolve(import.meta.dirname, '..', '..', '..', 'apps');
/** The built programs, as users start them; `npm test` builds before it tests. */
export const BINS = {
  gateway: path.join(apps, 'gateway', 'bin', 'claw-gateway.js'),
  node: path.join(apps, 'node', 'bin', 'clawnode.js'),
  cli: path.join(apps, 'cli', 'bin', 'clawbernetes.js'),
} as const;

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Leader of a process group of its own, so that a signal can go to all of it. */
  readonly ownGroup?: boolean;
}

/** One of our programs as a real process: its output is kept, and signals can be sent to it. */
export class Program {
  /** As a shell sees it: 128 + n for a signal. */
  readonly ended: Promise<number>;
  readonly #child: ChildProcess;
  readonly #output: Buffer[] = [];
  readonly #errors: Buffer[] = [];

  constructor(bin: string, args: readonly string[], { env, cwd, ownGroup = false }: ProgramOptions = {}) {
    const { PATH, HOME } = process.env;
    this.#child = spawn(process.execPath, [bin, ...args], {
      env: { PATH, HOME, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: ownGroup,
      ...(cwd === undefined ? {} : { cwd }),
    });
    this.#child.stdout?.on('data', (chunk: Buffer) => this.#output.push(chunk));
    this.#child.stderr?.on('data', (chunk: Buffer) => this.#errors.push(chunk));
    this.ended = new Promise((resolve) => {
      // Not "close": a child that outlives its parent may hold the pipes.
      this.#child.once('exit', (code, signal) =>
        setImmediate(() => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0))),
      );
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get stdout(): string {
    return Buffer.concat(this.#output).toString();
  }

  get stderr(): string {
    return Buffer.concat(this.#errors).toString();
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  signalGroup(name: NodeJS.Signals): void {
    process.kill(-this.pid, name);
  }

  /** Ends it and waits until it is gone. */
  async kill(name: NodeJS.Signals = 'SIGKILL'): Promise<number> {
    if (this.isRunning) this.signal(name);
    return this.ended;
  }

  /** Waits for something that it prints. */
  async says(pattern: RegExp): Promise<void> {
    await until(
      () => `it says ${String(pattern)}; it said:\n${this.stdout}\n${this.stderr}`,
      () => pattern.test(this.stdout) || pattern.test(this.stderr),
    );
  }
}

/** Whether a process is there and not a zombie. */
export function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
