import { newId, sleep, type Clock, type Random } from '@clawbernetes/kernel';
import type { AuditProgress, AuditReport } from '@clawbernetes/ledger';

export interface AuditsDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** Recomputes the ledger up to a frame. */
  readonly audit: (through: number, options: AuditCalls) => Promise<AuditReport>;
}

interface AuditCalls {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: AuditProgress) => void;
}

export interface AuditRun {
  readonly id: string;
  /** The last frame that is looked at. */
  readonly through: number;
  readonly startedAtMs: number;
  /** How far it is, or was when it ended. */
  readonly progress: AuditProgress;
  readonly report: AuditReport | undefined;
}

type MutableRun = { -readonly [Field in keyof AuditRun]: AuditRun[Field] } & { ended: Promise<void> };

/**
 * Audits, which may take longer than a request waits: one at a time, whose report is kept until the next one.
 */
export class Audits implements AsyncDisposable {
  readonly #deps: AuditsDeps;
  readonly #stop = new AbortController();
  #latest: MutableRun | undefined;
  #isRunning = false;

  constructor(deps: AuditsDeps) {
    this.#deps = deps;
  }

  /** The one that runs, or a new one. */
  start(through: number): AuditRun {
    if (this.#latest && this.#isRunning) return this.#latest;
    const { clock, random, audit } = this.#deps;
    this.#isRunning = true;
    const run: MutableRun = {
      id: newId('au', clock, random),
      through,
      startedAtMs: clock.nowMs(),
      progress: { frames: 0, of: through },
      report: undefined,
      ended: Promise.resolve(),
    };
    const onProgress = (progress: AuditProgress): void => {
      run.progress = progress;
    };
    run.ended = audit(through, { signal: this.#stop.signal, onProgress })
      .then((report) => {
        run.report = report;
      })
      .finally(() => {
        this.#isRunning = false;
      });
    // Whoever waits hears of it; nobody may.
    run.ended.catch(() => undefined);
    this.#latest = run;
    return run;
  }

  find(id: string): AuditRun | undefined {
    return this.#latest?.id === id ? this.#latest : undefined;
  }

  /** Resolves when it has ended, or after a while. @throws what the audit failed with. */
  async wait(run: AuditRun, waitMs: number, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    if (this.#latest !== run) return;
    const enough = new AbortController();
    const either = AbortSignal.any([signal, enough.signal]);
    const patience = sleep(this.#deps.clock, waitMs, { signal: either }).catch(() => undefined);
    try {
      await Promise.race([this.#latest.ended, patience]);
    } finally {
      enough.abort();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#latest?.ended.catch(() => undefined);
  }
}
