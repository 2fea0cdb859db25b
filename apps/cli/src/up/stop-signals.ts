import type { Clock } from '@clawbernetes/kernel';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Ctrl-C often arrives twice: from the terminal, and from the program that started this one. */
const SAME_WISH_MS = 500;

/** The user's wish to stop: the first signal asks for an orderly end, the second for a quick one. */
export class StopSignals implements Disposable {
  readonly #requested = Promise.withResolvers<NodeJS.Signals>();
  readonly #force = new AbortController();
  readonly #onSignal = (signal: NodeJS.Signals): void => {
    const nowMs = this.#clock.monotonicMs();
    if (this.#received !== undefined && nowMs - this.#receivedAtMs > SAME_WISH_MS) this.#force.abort();
    if (this.#received === undefined) this.#receivedAtMs = nowMs;
    this.#received ??= signal;
    this.#requested.resolve(signal);
  };
  readonly #clock: Clock;
  #receivedAtMs = 0;
  #received: NodeJS.Signals | undefined;

  constructor({ clock }: { readonly clock: Clock }) {
    this.#clock = clock;
    for (const signal of SIGNALS) process.on(signal, this.#onSignal);
  }

  get requested(): Promise<NodeJS.Signals> {
    return this.#requested.promise;
  }

  get received(): NodeJS.Signals | undefined {
    return this.#received;
  }

  /** Aborted by the second signal. */
  get force(): AbortSignal {
    return this.#force.signal;
  }

  [Symbol.dispose](): void {
    for (const signal of SIGNALS) process.off(signal, this.#onSignal);
  }
}
