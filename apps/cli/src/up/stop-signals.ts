const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The user's wish to stop: the first signal asks for an orderly end, the second for a quick one. */
export class StopSignals implements Disposable {
  readonly #requested = Promise.withResolvers<NodeJS.Signals>();
  readonly #force = new AbortController();
  readonly #onSignal = (signal: NodeJS.Signals): void => {
    if (this.#received === undefined) this.#requested.resolve(signal);
    else this.#force.abort();
    this.#received ??= signal;
  };
  #received: NodeJS.Signals | undefined;

  constructor() {
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
