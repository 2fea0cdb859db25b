import { execFile } from 'node:child_process';
import { constants, mkdirSync, openSync, rmSync, unlinkSync } from 'node:fs';
import { promisify } from 'node:util';

export interface Fifo {
  /** Not blocking; ours. */
  readonly readEnd: number;
  /** Blocking; for the child. */
  readonly writeEnd: number;
}

/** Made by one command at a time; a job takes two or three. */
const BATCH = 64;
const REFILL_BELOW = 16;

/**
 * Pipes for output. Node's own child pipes are sockets, and a socket cannot be opened again by name, so that
 * `echo x > /dev/stderr` fails in a workload; a FIFO can. Node cannot make one, hence mkfifo(1) in batches. Each is
 * used once and unlinked as soon as both ends are open.
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
    rmSync(folder, { recursive: true, force: true });
    // Only we may look inside; the FIFOs themselves are open to all, for a workload that runs as somebody else.
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const pool = new FifoPool(folder);
    await pool.#fill();
    return pool;
  }

  async take(count: number): Promise<Fifo[]> {
    while (this.#ready.length < count) await this.#fill();
    const fifos = this.#ready.splice(-count).map((path) => openFifo(path));
    if (this.#ready.length < REFILL_BELOW) void this.#fill().catch(() => undefined);
    return fifos;
  }

  async close(): Promise<void> {
    await this.#filling?.catch(() => undefined);
    rmSync(this.#folder, { recursive: true, force: true });
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
  unlinkSync(path);
  return { readEnd, writeEnd };
}
