import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import path from 'node:path';

const BIN = path.resolve(import.meta.dirname, '../../bin/clawbernetes.js');
const DEADLINE_MS = 60_000;

export interface CliResult {
  /** As a shell sees it: 128+n for a signal. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly stdoutBytes: Buffer;
}

export interface CliOptions {
  readonly home: string;
  readonly input?: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** The command as users start it: a process of its own, without a terminal. */
export class CliProcess {
  readonly #child: ChildProcess;
  readonly #stdout: Buffer[] = [];
  readonly #stderr: Buffer[] = [];
  readonly result: Promise<CliResult>;

  constructor(args: readonly string[], { home, input, cwd, env }: CliOptions) {
    const { PATH, HOME } = process.env;
    this.#child = spawn(process.execPath, [BIN, ...args], {
      cwd: cwd ?? home,
      env: { PATH, HOME, CLAWBERNETES_HOME: home, ...env },
      stdio: 'pipe',
    });
    this.#child.stdout?.on('data', (chunk: Buffer) => this.#stdout.push(chunk));
    this.#child.stderr?.on('data', (chunk: Buffer) => this.#stderr.push(chunk));
    this.#child.stdin?.end(input ?? '');
    this.result = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => {
        const stdoutBytes = Buffer.concat(this.#stdout);
        const exitCode = code ?? 128 + (signal ? constants.signals[signal] : 0);
        resolve({ code: exitCode, stdout: this.stdout, stderr: this.stderr, stdoutBytes });
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get stdout(): string {
    return Buffer.concat(this.#stdout).toString();
  }

  get stderr(): string {
    return Buffer.concat(this.#stderr).toString();
  }

  get ended(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Waits until what was printed so far satisfies `condition`. */
  async until(condition: (cli: CliProcess) => boolean): Promise<void> {
    await eventually(
      () => condition(this),
      () => `stdout:\n${this.stdout}\nstderr:\n${this.stderr}`,
    );
  }
}

/** Runs the command to its end. */
export function runCli(args: readonly string[], options: CliOptions): Promise<CliResult> {
  return new CliProcess(args, options).result;
}

/** Waits until `condition` holds. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  facts: () => string,
): Promise<void> {
  const endMs = Date.now() + DEADLINE_MS;
  while (!(await condition())) {
    if (Date.now() > endMs) throw new Error(`It did not come about. ${facts()}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

export async function makeHome(): Promise<string> {
  return mkdtemp(path.join(tmpdir(), 'clawbernetes-cli-'));
}

export async function removeHome(home: string): Promise<void> {
  await rm(home, { recursive: true, force: true });
}
