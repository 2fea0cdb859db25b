import type { Clock, Timer } from '@clawbernetes/kernel';
import type { Launch } from '../execution/executor.ts';

/** So often time is looked at, ms: timers stand still while a machine sleeps, its uptime does not. */
const LOOK_MS = 1000;

export interface ContactWatchDeps {
  readonly clock: Clock;
  /** See `machineUptimeMs`. */
  uptimeMs(): number;
  /** Its time without contact is over. */
  expired(attemptId: string): void;
}

interface Watched {
  readonly owner: string;
  readonly afterMs: number;
}

/** Ends what may not run without contact to the gateway; it needs no living agent for that. */
export class ContactWatch {
  readonly #deps: ContactWatchDeps;
  readonly #lastMs = new Map<string, number>();
  readonly #watched = new Map<string, Watched>();
  #timer: Timer | undefined;

  constructor(deps: ContactWatchDeps) {
    this.#deps = deps;
  }

  /** The agent of this owner had contact; answers whether that has to outlive this process. */
  contact(owner: string, atMs: number): boolean {
    // A moment to come is none: nobody may run on credit.
    const seenMs = Math.min(atMs, this.#deps.uptimeMs());
    if (seenMs <= (this.#lastMs.get(owner) ?? -Infinity)) return false;
    this.#lastMs.set(owner, seenMs);
    return this.#watched.values().some((one) => one.owner === owner);
  }

  /** Whether work like this may begin: it would be stopped at once if it was ordered too long ago. */
  mayBegin(launch: Launch): boolean {
    const afterMs = stopsAfterMs(launch);
    if (afterMs === undefined) return true;
    return launch.contactMs !== undefined && this.#deps.uptimeMs() - launch.contactMs < afterMs;
  }

  /** From now on until it has ended. */
  watch(owner: string, launch: Launch): void {
    const afterMs = stopsAfterMs(launch);
    if (afterMs === undefined) return;
    this.#watched.set(launch.attemptId, { owner, afterMs });
    if (launch.contactMs !== undefined) this.contact(owner, launch.contactMs);
    this.#timer ??= this.#deps.clock.after(0, () => this.#look());
  }

  forget(attemptId: string): void {
    this.#watched.delete(attemptId);
  }

  close(): void {
    this.#timer?.cancel();
    this.#watched.clear();
  }

  #look(): void {
    this.#timer = undefined;
    const nowMs = this.#deps.uptimeMs();
    let nextMs = LOOK_MS;
    for (const [attemptId, { owner, afterMs }] of this.#watched) {
      const leftMs = (this.#lastMs.get(owner) ?? -Infinity) + afterMs - nowMs;
      if (leftMs > 0) nextMs = Math.min(nextMs, leftMs);
      else if (this.#watched.delete(attemptId)) this.#deps.expired(attemptId);
    }
    if (this.#watched.size > 0) this.#timer = this.#deps.clock.after(nextMs, () => this.#look());
  }
}

/** How long it may run without contact, ms; undefined for as long as it wants. */
export function stopsAfterMs({ spec }: Launch): number | undefined {
  return spec.onDisconnect?.action === 'stop' ? (spec.onDisconnect.afterMs ?? 0) : undefined;
}
