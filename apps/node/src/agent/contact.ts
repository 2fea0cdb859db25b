import { errorMessage, type Logger } from '@clawbernetes/kernel';
import type { Supervisor } from '../supervisor/supervisor.ts';

export interface ContactDeps {
  readonly supervisor: Pick<Supervisor, 'uptimeMs' | 'contact'>;
  readonly logger: Logger;
}

/**
 * When the gateway was last certainly there: when a frame left that it has answered since. The gateway counts
 * from when that frame arrived, so this node never believes in contact later than the gateway does. The
 * supervisor ends work that may not run without contact, whether or not this agent lives.
 */
export class Contact {
  readonly #deps: ContactDeps;
  #lastMs: number | undefined;

  constructor(deps: ContactDeps) {
    this.#deps = deps;
  }

  /** On the clock of the machine, see `Supervisor.uptimeMs`; undefined before the first. */
  get lastMs(): number | undefined {
    return this.#lastMs;
  }

  /** To be asked for right before a frame is sent. */
  now(): number {
    return this.#deps.supervisor.uptimeMs();
  }

  /** What was sent at `sentMs`, or later, was answered. */
  answered(sentMs: number): void {
    if (this.#lastMs !== undefined && sentMs <= this.#lastMs) return;
    this.#lastMs = sentMs;
    this.#deps.supervisor.contact(sentMs).catch((error: unknown) => {
      // The next heartbeat tells it again; until then it only counts from earlier.
      this.#deps.logger.debug('The supervisor was not told of contact', { error: errorMessage(error) });
    });
  }
}
