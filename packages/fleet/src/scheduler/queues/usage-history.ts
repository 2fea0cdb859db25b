import { assert } from '@clawbernetes/kernel';
import type { Queue, QueueTree } from './queue-tree.ts';

/**
 * How much each queue used lately, in worth: the mean over all time before, in which what lies `halfLifeMs`
 * back counts half as much as now. Exact for a use that is constant between two calls, however often one
 * calls.
 */
export class UsageHistory {
  readonly #halfLifeMs: number;
  readonly #means = new Map<string, number>();
  #untilMs: number;

  constructor(options: { readonly halfLifeMs: number; readonly startMs: number }) {
    assert(options.halfLifeMs > 0, 'the half-life of usage is positive');
    this.#halfLifeMs = options.halfLifeMs;
    this.#untilMs = options.startMs;
  }

  /** As it is now. */
  copy(): UsageHistory {
    const copy = new UsageHistory({ halfLifeMs: this.#halfLifeMs, startMs: this.#untilMs });
    for (const [queue, mean] of this.#means) copy.begin(queue, mean);
    return copy;
  }

  /** Queues used this since the last call. A queue that is absent used nothing. */
  advance(nowMs: number, used: ReadonlyMap<string, number>): void {
    const elapsedMs = Math.max(0, nowMs - this.#untilMs);
    const kept = 0.5 ** (elapsedMs / this.#halfLifeMs);
    for (const queue of new Set([...this.#means.keys(), ...used.keys()])) {
      const mean = this.mean(queue) * kept + (used.get(queue) ?? 0) * (1 - kept);
      if (mean > 0) this.#means.set(queue, mean);
      else this.#means.delete(queue);
    }
    this.#untilMs += elapsedMs;
  }

  /** As if this had been its mean so far; for a history that goes on after a restart. */
  begin(queue: string, mean: number): void {
    if (mean > 0) this.#means.set(queue, mean);
  }

  mean(queue: string): number {
    return this.#means.get(queue) ?? 0;
  }
}

/** A weight's unit once use has been taken into account, so that rounding does not matter. */
const FINE = 1_000_000;

/**
 * Weights for the surplus, lowered for queues that used much: w / (1 + strength · used ÷ entitled), where
 * `entitled` is the part of the fleet's worth that the weights along the queue's path give it. A queue that
 * always used just that has the same factor as any other such queue, and one that used nothing keeps its
 * whole weight. Only its own history lowers a queue's weight. Whole numbers, rounded down, at least 1.
 */
export function weightsAfterUse(
  tree: QueueTree,
  history: UsageHistory,
  fleetWorth: number,
  strength: number,
): ReadonlyMap<string, number> {
  const entitled = new Map<Queue, number>();
  const weights = new Map<string, number>();
  for (const queue of tree.parentsFirst) {
    const [, parent] = queue.path;
    const siblings = parent?.children ?? tree.top;
    const all = siblings.reduce((sum, { weight }) => sum + weight, 0);
    const own = (parent ? (entitled.get(parent) ?? 0) : fleetWorth) * (queue.weight / Math.max(1, all));
    entitled.set(queue, own);
    const factor = 1 + (own > 0 ? (strength * history.mean(queue.name)) / own : 0);
    const fine = Math.max(1, Math.floor((queue.weight * FINE) / factor));
    weights.set(queue.name, queue.weight === 0 ? 0 : fine);
  }
  return weights;
}
