import { errorMessage } from '@clawbernetes/kernel';
import type { WorkloadView } from '@clawbernetes/protocol';
import type { Client } from '@clawbernetes/sdk';
import type { Context } from '../context.ts';

const CTRL_C = '\u0003';
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/**
 * What Ctrl-C means while a workload runs in the foreground. At a terminal the first one asks; the second
 * stops the
 * workload politely, the third kills it. Without a terminal nobody can be asked, so the first one stops it.
 */
export class Interrupts implements Disposable {
  readonly #context: Context;
  readonly #client: Client;
  readonly #workload: WorkloadView;
  readonly #detached = Promise.withResolvers<void>();
  readonly #onSignal = (signal: NodeJS.Signals): void => this.#interrupted(signal);
  readonly #onKey = (key: Buffer): void => this.#pressed(key.toString());
  #asking = false;
  #stops = 0;

  constructor(context: Context, client: Client, workload: WorkloadView) {
    this.#context = context;
    this.#client = client;
    this.#workload = workload;
    for (const signal of SIGNALS) process.on(signal, this.#onSignal);
  }

  /** Resolves when the user leaves the workload running and goes away. */
  get detached(): Promise<void> {
    return this.#detached.promise;
  }

  get stopRequested(): boolean {
    return this.#stops > 0;
  }

  [Symbol.dispose](): void {
    for (const signal of SIGNALS) process.off(signal, this.#onSignal);
    this.#stopAsking();
  }

  #interrupted(signal: NodeJS.Signals): void {
    const { stdin, stderr } = this.#context.terminal;
    const canAsk = signal === 'SIGINT' && stdin.isTTY && stderr.isTTY;
    if (canAsk && this.#stops === 0) this.#ask();
    else this.#stop();
  }

  #ask(): void {
    const { stdin, errorColours } = this.#context.terminal;
    this.#asking = true;
    this.#context.remark(
      errorColours.yellow(
        '\nPress Ctrl-C again to stop the workload, d to detach and leave it running, any other key to go on.',
      ),
    );
    // Raw, so that one key is enough and Ctrl-C comes as a key.
    stdin.setRawMode(true).on('data', this.#onKey).resume();
  }

  #pressed(key: string): void {
    this.#stopAsking();
    if (key.includes(CTRL_C)) {
      this.#stop();
    } else if (key === 'd' || key === 'D') {
      const { programName } = this.#context.config;
      this.#context.remark(
        `Detached; ${this.#workload.name} goes on.\n` +
          `  Follow it again: ${programName} workload logs -f ${this.#workload.id}\n` +
          `  Stop it:         ${programName} workload stop ${this.#workload.id}`,
      );
      this.#detached.resolve();
    } else {
      this.#context.remark('Going on.');
    }
  }

  #stopAsking(): void {
    if (!this.#asking) return;
    this.#asking = false;
    this.#context.terminal.stdin.off('data', this.#onKey).setRawMode(false).pause();
  }

  #stop(): void {
    this.#stops += 1;
    const force = this.#stops > 1;
    const again = force ? '' : ' Once more kills it at once.';
    this.#context.remark(`${force ? 'Killing' : 'Stopping'} ${this.#workload.name}…${again}`);
    this.#client
      .command('workload.stop', { workload: this.#workload.id, force })
      .catch((error: unknown) => this.#context.remark(`It could not be stopped: ${errorMessage(error)}`));
  }
}
