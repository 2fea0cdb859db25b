import type { Clock } from '@clawbernetes/kernel';
import { Bubblewrap, type BubblewrapOptions } from './bubblewrap.ts';

/** Between two looks for a sandbox that is not there. */
const LOOK_INTERVAL_MS = 2000;

/**
 * The sandbox of this host. Where there is none it is looked for again: it may have been installed since, or
 * the host was only too busy.
 */
export class HostSandbox {
  readonly #clock: Clock;
  readonly #options: BubblewrapOptions;
  #present: Bubblewrap | string;
  #lookedAtMs: number;
  #looking: Promise<void> | undefined;

  static async open({ clock }: { readonly clock: Clock }, options: BubblewrapOptions): Promise<HostSandbox> {
    return new HostSandbox(clock, options, await Bubblewrap.open(options));
  }

  private constructor(clock: Clock, options: BubblewrapOptions, present: Bubblewrap | string) {
    this.#clock = clock;
    this.#options = options;
    this.#present = present;
    this.#lookedAtMs = clock.monotonicMs();
  }

  /** The sandbox, or in words why there is none. */
  get present(): Bubblewrap | string {
    return this.#present;
  }

  /** Looks again if there is none. */
  async refresh(): Promise<void> {
    if (typeof this.#present !== 'string') return;
    if (this.#clock.monotonicMs() - this.#lookedAtMs < LOOK_INTERVAL_MS) return this.#looking;
    this.#lookedAtMs = this.#clock.monotonicMs();
    this.#looking = this.#look();
    return this.#looking;
  }

  async #look(): Promise<void> {
    this.#present = await Bubblewrap.open(this.#options);
  }
}
