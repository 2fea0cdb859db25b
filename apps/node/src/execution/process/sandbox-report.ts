import { constants } from 'node:os';
import { Socket } from 'node:net';
import type { Clock } from '@clawbernetes/kernel';

export interface SandboxVerdict {
  readonly exitCode?: number;
  readonly signal?: string;
  /** The program is not in the sandbox, where only the workload itself could look. */
  readonly notFound?: true;
}

/** More than a shell's longest message; a workload cannot write here. */
const MAX_REPORT_BYTES = 8192;

/** After the process tree is gone. */
const LAST_WAIT_MS = 2000;

/** Listens to the reporter inside a sandbox. */
export class SandboxReport {
  /** Whether the workload was begun; false once the report has ended without that. */
  readonly begun: Promise<boolean>;
  readonly #ended: Promise<void>;
  readonly #socket: Socket;
  #text = '';

  /** Takes over the descriptor. */
  constructor(descriptor: number) {
    const socket = new Socket({ fd: descriptor, readable: true, writable: false });
    this.#socket = socket;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.begun = promise;
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes) => {
      if (this.#text.length < MAX_REPORT_BYTES) this.#text += bytes.toString('latin1');
      if (this.hasBegun) resolve(true);
    });
    this.#ended = new Promise((end) => {
      socket.once('close', () => {
        resolve(this.hasBegun);
        end();
      });
    });
  }

  /** Waits for the report's end, which a process that hangs in the kernel may hold up. */
  async finish(clock: Clock): Promise<void> {
    const timer = clock.after(LAST_WAIT_MS, () => this.#socket.destroy());
    await this.#ended;
    timer.cancel();
  }

  get hasBegun(): boolean {
    return this.#text.startsWith('run\n');
  }

  /** How the workload ended, or undefined if it was killed together with its reporter. */
  get verdict(): SandboxVerdict | undefined {
    return parseReport(this.#text);
  }
}

/** `run`, then whatever the shell said of the end, then the exit code as the shell sees it. */
export function parseReport(text: string): SandboxVerdict | undefined {
  const [, detail, status] = /^run\n([^]*?)(\d{1,3})\n$/.exec(text) ?? [];
  if (detail === undefined || status === undefined) return undefined;
  const code = Number(status);
  if (detail === '') return { exitCode: code };
  if (code > 128) return { signal: signalName(code - 128) };
  if (code === 127) return { exitCode: code, notFound: true };
  return { exitCode: code };
}

export function signalName(number: number): string {
  const found = Object.entries(constants.signals).find(([, value]) => value === number);
  return found?.[0] ?? `SIGRTMIN+${number - 34}`;
}
