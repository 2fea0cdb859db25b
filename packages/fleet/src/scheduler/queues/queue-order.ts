import { amountOf, NOTHING, type Amounts } from './amounts.ts';
import type { FairShares } from './fair-share.ts';
import type { Queue, QueueTree } from './queue-tree.ts';
import type { QueueUsage } from './queue-usage.ts';
import { compareText, type WaitingWork } from './workload-order.ts';
import type { Worth } from './worth.ts';

interface QueueOrderDeps {
  readonly tree: QueueTree;
  readonly worth: Worth;
  readonly usage: QueueUsage;
  readonly shares: FairShares;
}

/** In the order of service. */
const CLAIMS = ['guarantee', 'share', 'none'] as const;

/**
 * How a queue stands beside its siblings if the first of its waiting work came next; smaller is served first.
 */
interface Turn {
  readonly queue: Queue;
  readonly head: WaitingWork;
  /**
   * With it the queue would still lie within its guarantee, within its fair share, or would borrow beyond.
   */
  readonly claim: (typeof CLAIMS)[number];
  /** Used ÷ fair share, the largest of what the work asks for; Infinity without a share. */
  readonly saturation: number;
}

/**
 * Which queue is served next: from the fleet downwards always the child that comes first by
 * guarantee before fair share before what lies beyond it, least used of its fair share, priority, time of
 * submission, name. So nobody borrows what a sibling could reclaim a moment later.
 *
 * Each queue offers the first of its own order. What is remembered of a queue is forgotten by `offer` and
 * `touch`, so a choice costs only the siblings along the paths that have changed since the last one.
 */
export class QueueOrder {
  readonly #deps: QueueOrderDeps;
  readonly #heads = new Map<string, WaitingWork>();
  readonly #turns = new Map<Queue, Turn | undefined>();

  constructor(deps: QueueOrderDeps) {
    this.#deps = deps;
  }

  /** The work that the queue would start next; undefined if none waits, or none can be started now. */
  offer(queue: string, head: WaitingWork | undefined): void {
    if (head) this.#heads.set(queue, head);
    else this.#heads.delete(queue);
    this.touch(queue);
  }

  /** The usage of the queue has changed. */
  touch(queue: string): void {
    for (const one of this.#deps.tree.leaf(queue).path) this.#turns.delete(one);
  }

  next(): WaitingWork | undefined {
    return this.#first(this.#deps.tree.top)?.head;
  }

  #first(siblings: readonly Queue[]): Turn | undefined {
    let first: Turn | undefined;
    for (const queue of siblings) {
      const turn = this.#turnOf(queue);
      if (turn && (!first || compareTurns(turn, first) < 0)) first = turn;
    }
    return first;
  }

  #turnOf(queue: Queue): Turn | undefined {
    if (this.#turns.has(queue)) return this.#turns.get(queue);
    const head = queue.children.length > 0 ? this.#first(queue.children)?.head : this.#heads.get(queue.name);
    const turn = head && this.#judge(queue, head);
    this.#turns.set(queue, turn);
    return turn;
  }

  #judge(queue: Queue, head: WaitingWork): Turn {
    const { worth, usage, shares } = this.#deps;
    const used = usage.used(queue.name);
    const share = shares.get(queue.name) ?? NOTHING;
    let saturation = 0;
    for (const [dimension, amount] of head.amounts) {
      if (amount === 0 || !worth.governs(dimension)) continue;
      const part = amountOf(share, dimension);
      saturation = Math.max(saturation, part > 0 ? amountOf(used, dimension) / part : Infinity);
    }
    const within = (room: Amounts): boolean => worth.within(head.amounts, used, room);
    const claim = within(queue.guaranteed) ? 'guarantee' : within(share) ? 'share' : 'none';
    return { queue, head, claim, saturation };
  }
}

function compareTurns(one: Turn, other: Turn): number {
  const claims = CLAIMS.indexOf(one.claim) - CLAIMS.indexOf(other.claim);
  if (claims !== 0) return claims;
  // Not by subtraction: two without a share are alike, and Infinity - Infinity is not 0.
  if (one.saturation !== other.saturation) return one.saturation < other.saturation ? -1 : 1;
  return (
    other.head.priority - one.head.priority ||
    one.head.submittedMs - other.head.submittedMs ||
    compareText(one.queue.name, other.queue.name)
  );
}
