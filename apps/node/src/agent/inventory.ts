import {
  backoffMs,
  canonicalJson,
  errorMessage,
  type Clock,
  type Logger,
  type Random,
  type Timer,
} from '@clawbernetes/kernel';
import type { NodeInventory } from '@clawbernetes/protocol';
import type { Hardware } from '../host.ts';

/** New GPU faults are found at the latest this long after they appear. */
const INTERVAL_MS = 300_000;
/**
 * Pauses while a probe fails: under load it may only have been slow, and until it succeeds work is refused.
 */
const DOUBT = { firstMs: 2000, maxMs: INTERVAL_MS } as const;

/** The hardware as last detected, with the bytes that describe it to the gateway. */
export class Inventory {
  readonly #deps: { readonly hardware: Hardware; readonly logger: Logger };
  #present: NodeInventory;
  #pending: Promise<NodeInventory> | undefined;
  #onChange: () => void = () => undefined;
  /** Since the last look the gateway was not told anything. */
  #isUntold = true;

  static async open(deps: { readonly hardware: Hardware; readonly logger: Logger }): Promise<Inventory> {
    return new Inventory(deps, await deps.hardware.detect({}));
  }

  private constructor(
    deps: { readonly hardware: Hardware; readonly logger: Logger },
    present: NodeInventory,
  ) {
    this.#deps = deps;
    this.#present = present;
  }

  get present(): NodeInventory {
    return this.#present;
  }

  encode(): Uint8Array {
    return Buffer.from(canonicalJson(this.#present));
  }

  onChange(listener: () => void): void {
    this.#onChange = listener;
  }

  /** Probes again; callers that ask meanwhile share the answer. */
  detect(): Promise<NodeInventory> {
    this.#pending ??= this.#detect().finally(() => (this.#pending = undefined));
    return this.#pending;
  }

  /**
   * Probes again and again until disposed of: soon as long as a probe fails, seldom once all is known. Each
   * time it is told what is known, changed or not: the gateway may have missed the last.
   */
  keepPresent({ clock, random }: { readonly clock: Clock; readonly random: Random }): Disposable {
    let timer: Timer | undefined;
    let stopped = false;
    const schedule = (doubts: number): void => {
      const delayMs = doubts === 0 ? INTERVAL_MS : backoffMs(doubts - 1, DOUBT, random);
      timer = clock.after(delayMs, () => {
        this.#isUntold = true;
        void this.refresh().then(() => {
          if (stopped) return;
          if (this.#isUntold && !isDoubtful(this.#present)) this.#onChange();
          schedule(isDoubtful(this.#present) ? doubts + 1 : 0);
        });
      });
    };
    schedule(isDoubtful(this.#present) ? 1 : 0);
    return {
      [Symbol.dispose]: () => {
        stopped = true;
        timer?.cancel();
      },
    };
  }

  /** As `detect`, for nobody in particular: a failure is logged. */
  async refresh(): Promise<void> {
    try {
      await this.detect();
    } catch (error) {
      this.#deps.logger.warn('The hardware could not be detected again', { error: errorMessage(error) });
    }
  }

  async #detect(): Promise<NodeInventory> {
    const next = await this.#deps.hardware.detect({});
    const changed = next !== this.#present && essence(next) !== essence(this.#present);
    this.#present = next;
    if (changed) {
      this.#isUntold = false;
      this.#onChange();
    }
    return next;
  }
}

/** What the gateway should hear of: not the free disk space and not how long a probe took. */
function essence({ disk, probes, ...rest }: NodeInventory): string {
  return canonicalJson({
    ...rest,
    disk: { path: disk.path, totalMib: disk.totalMib },
    probes: probes.map(({ name, outcome }) => ({ name, outcome })),
  });
}

/** Whether what is missing may be there after all. */
function isDoubtful({ executors, probes }: NodeInventory): boolean {
  const unfinished = probes.some(({ outcome }) => outcome === 'failed' || outcome === 'timed-out');
  return unfinished || executors.some(({ kind, available }) => kind === 'process' && !available);
}
