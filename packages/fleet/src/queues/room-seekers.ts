import type { FleetCore } from '../fleet-core.ts';
import type { QueuedShape } from '../scheduler/queues/queue-plan-order.ts';

/** Groups of what waits that are looked at in one round. */
const MAX_GROUPS = 8;
/** What has not changed is tried again after so long, since guards end with time, ms. */
const TRY_AGAIN_MS = 5000;
/** And what has changed, not before, ms. */
const SOON_MS = 1000;

/** Who might have others make room for it, and when that was tried in vain. */
export class RoomSeekers {
  readonly #core: FleetCore;
  /** By group that waits: when it was tried in vain last, and what the fleet was then. */
  readonly #tried = new Map<string, { readonly version: number; readonly atMs: number }>();

  constructor(core: FleetCore) {
    this.#core = core;
  }

  triedInVain(key: string, nowMs: number): void {
    this.#tried.set(key, { version: this.#core.nodes.version, atMs: nowMs });
  }

  /**
   * What waits although something that runs might have to go for it: told cheaply, being asked often. Those
   * that were not tried for longest, since some that cannot be helped keep nobody from being helped; in the
   * order of the queue. @param limit workloads of each.
   */
  next(nowMs: number, limit: number): readonly QueuedShape[] {
    const { accounts, pending, queues } = this.#core;
    const { isPlain } = queues.regime;
    if (isPlain && !pending.mayPreempt((queue, priority) => accounts.runsBelow(queue, priority))) return [];
    for (const key of this.#tried.keys()) if (!pending.has(key)) this.#tried.delete(key);
    return pending.firstWaiting(MAX_GROUPS, limit, ({ key, queue, priority }) =>
      isPlain && !accounts.runsBelow(queue, priority) ? undefined : this.#turnOf(key, nowMs),
    );
  }

  /** The smallest first; undefined = not now. */
  #turnOf(key: string, nowMs: number): number | undefined {
    const tried = this.#tried.get(key);
    if (!tried) return -Infinity;
    const ageMs = nowMs - tried.atMs;
    const isSame = tried.version === this.#core.nodes.version;
    return ageMs < SOON_MS || (ageMs < TRY_AGAIN_MS && isSame) ? undefined : tried.atMs;
  }
}
