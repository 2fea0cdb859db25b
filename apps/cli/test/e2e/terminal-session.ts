import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import { eventually } from './cli-process.ts';

const BIN = path.resolve(import.meta.dirname, '../../bin/clawbernetes.js');

/** What the host lacks for terminals, as part of a test's name; empty if nothing. */
export const noTerminal =
  spawnSync('script', ['--version']).status === 0 ? '' : 'needs script: apt-get install bsdutils';

/** The command at a terminal of its own, made by script(1). */
export class TerminalSession implements Disposable {
  readonly #child: ChildProcess;
  readonly exitCode: Promise<number | null>;
  /** Since the last key. */
  output = '';
  /** From the start. */
  transcript = '';

  /** `words` as in a shell. */
  constructor({ home, cwd }: { readonly home: string; readonly cwd: string }, words: string) {
    // Without a size, questions would be wrapped after each character.
    const command = `stty rows 40 cols 200; exec '${process.execPath}' '${BIN}' ${words}`;
    this.#child = spawn('script', ['-qfec', command, '/dev/null'], {
      cwd,
      env: { PATH: process.env['PATH'], TERM: 'xterm', CLAWBERNETES_HOME: home },
    });
    this.#child.stdout?.on('data', (chunk: Buffer) => {
      this.output += chunk.toString();
      this.transcript += chunk.toString();
    });
    this.exitCode = new Promise((resolve) => this.#child.once('close', resolve));
  }

  async expectOutput(text: string): Promise<void> {
    await eventually(
      () => this.output.includes(text),
      () => `"${text}" is missing in:\n${this.output}`,
    );
  }

  press(keys: string): void {
    this.output = '';
    this.#child.stdin?.write(keys);
  }

  /** Hangs up: the command ends as when a window is closed. */
  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }
}
