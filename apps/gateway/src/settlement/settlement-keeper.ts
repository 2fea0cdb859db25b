import { backoffMs, errorMessage, sleep, type CodedError } from '@clawbernetes/kernel';
import { LedgerTime } from '@clawbernetes/ledger';
import { apiError } from '@clawbernetes/protocol';
import { asCoded } from '../errors.ts';
import { Settlement, type SettlementDeps, type SettlementOptions } from './settlement.ts';

const REOPEN = { firstMs: 500, maxMs: 10_000 } as const;
const RETRY_AFTER_MS = 1000;
/** Nothing of these gets better by waiting: somebody has to do something, and to start the gateway again. */
const LASTING: ReadonlySet<string> = new Set([
  'wrong-network',
  'journal-damaged',
  'journal-diverged',
  'journal-too-new',
  'storage-newer',
  'storage-corrupt',
]);

export interface SettlementStatus {
  readonly state: 'open' | 'opening' | 'failed';
  readonly network?: string;
  /** Why it is not open, or what is not as it should be. */
  readonly message?: string;
}

export interface SettlementFigures {
  readonly frames: number;
  readonly accounts: number;
  readonly lagMovements: number;
}

/** Where handlers find the ledger of this gateway. */
export interface SettlementSource {
  /** @throws CodedError `storage-unavailable` while there is none. */
  current(): Settlement;
  status(): SettlementStatus;
  /** For metrics; undefined while there is none. */
  figures(): SettlementFigures | undefined;
  /** Somebody found that it has stopped: it is opened anew. */
  stopped(settlement: Settlement, error: unknown): void;
}

/**
 * Holds the ledger that is open now, or why there is none, and opens it again after it failed. The fleet does
 * not depend on it.
 */
export class SettlementKeeper implements SettlementSource, AsyncDisposable {
  readonly #deps: SettlementDeps;
  readonly #options: SettlementOptions;
  readonly #stop = new AbortController();
  #settlement: Settlement | undefined;
  #failure: CodedError | undefined;
  #working: Promise<void>;

  constructor(deps: SettlementDeps, options: SettlementOptions) {
    // A clock that has jumped is not believed because the ledger had to be opened again.
    this.#deps = { time: new LedgerTime(deps), ...deps };
    this.#options = options;
    this.#working = this.#open();
  }

  current(): Settlement {
    if (this.#settlement) return this.#settlement;
    const why = this.#failure?.message ?? 'It is being read back from its journal.';
    const message = `The ledger cannot be used now. ${why}`;
    throw apiError('storage-unavailable', message, { retryAfterMs: RETRY_AFTER_MS });
  }

  status(): SettlementStatus {
    if (this.#settlement) return openStatus(this.#settlement);
    if (this.#failure) return { state: 'failed', message: this.#failure.message };
    return { state: 'opening' };
  }

  figures(): SettlementFigures | undefined {
    if (!this.#settlement) return undefined;
    const { ledger, lag } = this.#settlement;
    return { frames: ledger.sequence, accounts: ledger.accountCount, lagMovements: lag.movements };
  }

  stopped(settlement: Settlement, error: unknown): void {
    if (this.#settlement !== settlement) return;
    this.#settlement = undefined;
    this.#failure = asCoded(error);
    this.#deps.logger.error('the ledger failed; the gateway reopens it', { error: this.#failure.message });
    this.#working = this.#reopen(settlement);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#working;
    const settlement = this.#settlement;
    this.#settlement = undefined;
    await settlement?.[Symbol.asyncDispose]();
  }

  async #reopen(failed: Settlement): Promise<void> {
    // What fails while closing has failed already.
    await Promise.resolve(failed[Symbol.asyncDispose]()).catch(() => undefined);
    await this.#open();
  }

  /** Until it succeeds, cannot, or the gateway stops. */
  async #open(): Promise<void> {
    const { clock, random, logger } = this.#deps;
    for (let attempt = 0; !this.#stop.signal.aborted; attempt += 1) {
      try {
        const settlement = await Settlement.open(this.#deps, this.#options);
        this.#settlement = settlement;
        this.#failure = undefined;
        settlement.onFailed((error) => this.stopped(settlement, error));
        return logger.info('the ledger is open', { network: settlement.settings.network });
      } catch (cause) {
        this.#failure = asCoded(cause);
        logger.error('the ledger cannot be opened', { error: errorMessage(cause) });
        if (LASTING.has(this.#failure.code)) return;
      }
      const delayMs = backoffMs(attempt, REOPEN, random);
      await sleep(clock, delayMs, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }
}

function openStatus({ ledger: { clockAheadMs }, settings: { network } }: Settlement): SettlementStatus {
  if (clockAheadMs === 0) return { state: 'open', network };
  const off = `${Math.round(Math.abs(clockAheadMs) / 60_000)} min ${clockAheadMs > 0 ? 'ahead of' : 'behind'}`;
  const message =
    `The clock of the gateway’s machine is ${off} the time of the ledger, which does not follow it. ` +
    'Correct the clock; if it is right, restart the gateway.';
  return { state: 'open', network, message };
}
