import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** A process of a test that says on its standard output, line by line, what it has done. */
export class LineProcess {
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  #hasEnded = false;
  #news = Promise.withResolvers<void>();

  constructor(main: URL, args: readonly string[]) {
    const argv = ['--conditions=@clawbernetes/source', main.pathname, ...args];
    this.#child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    let rest = '';
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      this.lines.push(...lines);
      this.#tell();
    });
    // All that it has said is there then.
    this.#child.once('close', () => {
      this.#hasEnded = true;
      this.#tell();
    });
  }

  /** @throws Error once it has ended and still has not said so. */
  async until(condition: (lines: readonly string[]) => boolean): Promise<void> {
    while (!condition(this.lines)) {
      if (this.#hasEnded) throw new Error(`The process has ended:\n${this.lines.slice(-5).join('\n')}`);
      await this.#news.promise;
    }
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async ended(): Promise<void> {
    if (!this.#hasEnded) await once(this.#child, 'close');
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }
}
