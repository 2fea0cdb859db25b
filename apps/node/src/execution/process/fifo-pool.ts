import { execFile } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import { promisify } from 'node:util';

export interface Fifo {
  readonly path: string;
  /** Not blocking; ours. */
  readonly readEnd: number;
  /** Blocking; for the child. */
  readonly writeEnd: number;
}

/** The other way round: what the child reads. */
export interface InputFifo {
  readonly path: string;
  /** Blocking; for the child. */
  readonly readEnd: number;
  /** Not blocking; ours. */
  readonly writeEnd: number;
}

/** Made by one command at a time; a job takes two or three. */
const BATCH = 64;
const REFILL_BELOW = 16;
/** After a burst, this many are kept. */
const MAX_SPARE = 512;

/**
 * Pipes for output. Node's own child pipes are sockets, and a socket cannot be opened again by name, so that
 * `echo x > /dev/stderr` fails in a workload; a FIFO can. Node cannot make one, hence mkfifo(1) in batches.
 */
export class FifoPool {
  readonly #folder: string;
  #ready: string[] = [];
  #filling: Promise<void> | undefined;
  #made = 0;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async open(folder: string): Promise<FifoPool> {
    await rm(folder, { recursive: true, force: true });
    // Only we may look inside; the FIFOs themselves are open to all, for a workload that runs as somebody
    // else.
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const pool = new FifoPool(folder);
    await pool.#fill();
    return pool;
  }

  async take(count: number): Promise<Fifo[]> {
    return (await this.#paths(count)).map(openFifo);
  }

  async takeInput(): Promise<InputFifo> {
    const [path = ''] = await this.#paths(1);
    return openInput(path);
  }

  async #paths(count: number): Promise<string[]> {
    while (this.#ready.length < count) await this.#fill();
    const paths = this.#ready.splice(-count);
    if (this.#ready.length < REFILL_BELOW) void this.#fill().catch(() => undefined);
    return paths;
  }

  /** Takes back a FIFO of a workload that is gone; its end was read, so nobody can write to it any more. */
  giveBack(fifo: { readonly path: string }): void {
    if (this.#ready.length < MAX_SPARE) this.#ready.push(fifo.path);
    else this.discard(fifo);
  }

  /** Forgets a FIFO that a process which escaped might still hold. */
  discard({ path }: { readonly path: string }): void {
    void rm(path, { force: true }).catch(() => undefined);
  }

  async close(): Promise<void> {
    await this.#filling?.catch(() => undefined);
    await rm(this.#folder, { recursive: true, force: true });
  }

  #fill(): Promise<void> {
    this.#filling ??= this.#makeBatch().finally(() => {
      this.#filling = undefined;
    });
    return this.#filling;
  }

  async #makeBatch(): Promise<void> {
    const paths = Array.from({ length: BATCH }, (_, index) => `${this.#folder}/${this.#made + index}`);
    this.#made += BATCH;
    await promisify(execFile)('mkfifo', ['-m', '666', ...paths]);
    this.#ready.push(...paths);
  }
}

function openFifo(path: string): Fifo {
  const readEnd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writeEnd = openSync(path, constants.O_WRONLY);
  return { path, readEnd, writeEnd };
}

function openInput(path: string): InputFifo {
  // A writer waits for a reader, unless there is one.
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const writeEnd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    return { path, writeEnd, readEnd: openSync(path, constants.O_RDONLY) };
  } finally {
    closeSync(reader);
  }
}

/** Writes everything and closes the descriptor; a reader that goes away before ends it, too. */
export function writeAll(descriptor: number, bytes: Uint8Array): void {
  const socket = new Socket({ fd: descriptor, readable: false, writable: true });
  socket.on('error', () => socket.destroy());
  socket.end(bytes);
}
